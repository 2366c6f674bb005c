"""What is made from the store: MLflow's runs, kept up to it, and the report.

Both can be lost without losing a result, and both are made again by `rebuild`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..progress import Progress
from ..records import Comparison
from ..report import write
from ..store.store import Plan, Store, require_plan
from ..tracking import Phase, Tracker, TrackingError
from .plan import assemble


class Mirror:
    """MLflow as seen by the runner: brought to the store after each cell, and never in its way."""

    def __init__(self, uri: str | None, out: Path, progress: Progress) -> None:
        """Prepare the database once, before anything else could open it."""
        self.progress, self.failed, self.run_ids = progress, False, dict[str, str]()
        self.tracker = Tracker(uri, out)
        self._try(lambda: self.tracker.prepare())

    def sync(self, comparison: Comparison, status: Phase) -> None:
        """Write what is new; after a failure only the last call of a run tries again."""
        if not self.failed or status != "running":
            self._try(lambda: self.run_ids.update(self.tracker.sync(comparison, status=status)))

    def _try(self, write: Any) -> None:
        try:
            write()
            self.failed = False
        except TrackingError as error:
            if not self.failed:
                self.progress.note(f"MLflow: {error}; results are safe in the store")
            self.failed = True


def finish(plan: Plan, store: Store, mirror: Mirror, status: Phase) -> Comparison:
    """Write the report, then bring MLflow to the end, the report's files among its artifacts."""
    comparison = assemble(plan, store)
    write(comparison, store.out, mirror.run_ids)
    mirror.sync(comparison, status)
    write(comparison, store.out, mirror.run_ids)
    return comparison


def rebuild(out: Path, tracking_uri: str | None = None) -> Comparison:
    """Write the report of the last comparison again from the store."""
    store = Store(out)
    plan = require_plan(store)
    comparison = assemble(plan, store)
    uri = tracking_uri or plan.experiment.get("tracking_uri")
    write(comparison, out, _run_ids(comparison, uri, out))
    return comparison


def _run_ids(comparison: Comparison, uri: str | None, out: Path) -> dict[str, str]:
    """Cell → MLflow run; empty where MLflow cannot be asked."""
    whole = all(row.status != "missing" for row in comparison.results)
    try:
        return Tracker(uri, out).sync(comparison, status="finished" if whole else "killed")
    except TrackingError:
        return {}
