"""Everything that is shown of a comparison, from its records and predictions. No torch here."""

from __future__ import annotations

from .analysing import analyse
from .analysis import Analysis, TaskAnalysis
from .calibration_error import remembered
from .column import Column
from .columns import register
from .predictions import PredictionReader, Predictions, read_from

__all__ = [
    "Analysis",
    "Column",
    "PredictionReader",
    "Predictions",
    "TaskAnalysis",
    "analyse",
    "read_from",
    "register",
    "remembered",
]
