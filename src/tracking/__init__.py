"""MLflow as a mirror of the records: runs are written from the project's own store, never read.

Losing MLflow therefore loses nothing, and writing again adds nothing. No other room imports
mlflow, and this one does so only when it is used, since the import takes seconds.
"""

from __future__ import annotations

from .address import TrackingError, chosen
from .planned_run import Phase
from .server import serve
from .tracker import Tracker

__all__ = ["Phase", "Tracker", "TrackingError", "chosen", "serve"]
