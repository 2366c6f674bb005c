"""One run as MLflow should show it, as plain data and without mlflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from ..records import Curve

Phase = Literal["running", "finished", "killed", "failed"]
"""How a whole comparison stands."""
Kind = Literal["comparison", "study", "trial", "cell"]


class DataSet(NamedTuple):
    """Rows that a run was made from, as MLflow names them."""

    name: str
    """The task and the split, such as "sst2 train"."""
    digest: str
    """Of the rows; MLflow has room for 36 characters."""
    source: str
    """Where they come from, as the tables show it."""
    context: str = ""
    """MLflow's word for what they are for: training, validation, testing."""
    rows: int = 0
    """How many; 0 where that is not known."""


@dataclass(frozen=True)
class PlannedRun:
    """One run as MLflow should show it."""

    key: str
    """The comparison's identity and the record's: by this the run is found again."""
    parent: str | None
    kind: Kind
    name: str
    status: str
    start_ms: int
    end_ms: int | None
    tags: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    """Metric name → (step, value) points."""
    system: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    """Metric name → (milliseconds since the start, value) points, one a step."""
    files: tuple[tuple[str, str, str], ...] = ()
    """Folder in MLflow, path relative to the output folder, and a mark that changes with it."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Artifact name → content."""
    plot: tuple[tuple[str, Curve], ...] = ()
    data: tuple[DataSet, ...] = ()

    def digest(self, parent_run: str) -> str:
        """Changes when anything of the run does, or when it hangs below another run."""
        content = json.dumps([asdict(self), parent_run], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @property
    def latest(self) -> dict[str, float]:
        """What MLflow shows of each curve: its last point."""
        return {name: points[-1][1] for name, points in {**self.curves, **self.system}.items()}

    @property
    def curve_digest(self) -> str:
        """Changes when a point of a curve does: MLflow keeps every point it was ever given."""
        lines = {**self.curves, **self.system}
        points = json.dumps(sorted(lines.items()))
        return hashlib.sha256(points.encode()).hexdigest()[:16] if lines else ""


def milliseconds(moment: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 time."""
    return round(1000 * datetime.fromisoformat(moment).timestamp())
