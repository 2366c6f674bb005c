"""What a comparison leaves in MLflow, and how a test brings it there."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.records import Comparison
from tunebench.tracking import Phase, Tracker
from tunebench.tracking.marks import NOTE

from tests.records import missing

PARENT = "mlflow.parentRunId"
RUN_ID = re.compile(r"(?<=/runs/)[0-9a-f]{32}")


def sync(tracker: Tracker, records: Comparison, status: Phase = "finished") -> dict[str, str]:
    """Write all runs and, where the comparison has ended, close its own."""
    analysis = analyse(records)
    ids: dict[str, str] = tracker.sync(analysis, status=status)
    if status != "running":
        tracker.close(analysis, status=status)
    return ids


def runs_of(out: Path) -> list[Any]:
    """All runs that MLflow shows, of all experiments."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    ids = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(ids, max_results=1000))


def by_kind(out: Path) -> dict[str, list[Any]]:
    """All runs by their tag `kind`."""
    kinds: dict[str, list[Any]] = {}
    for run in runs_of(out):
        kinds.setdefault(run.data.tags["kind"], []).append(run)
    return kinds


def so_far(whole: Comparison, cells: int) -> Comparison:
    """The comparison when its first cells were there and the others still to come."""
    results = tuple(
        row if i < cells else missing(row.task, row.method, row.seed)
        for i, row in enumerate(whole.results)
    )
    begun = {row.study for row in results if row.status != "missing"}
    trials = tuple(trial for trial in whole.trials if trial.study in begun)
    return dataclasses.replace(whole, results=results, trials=trials)


def content(out: Path) -> list[tuple[Any, ...]]:
    """What a person sees of all runs: names, numbers, settings, tags but not our marks.

    Where a tag links to a run, that run's name stands in the place of its id, which MLflow draws.
    """
    runs = runs_of(out)
    named = {run.info.run_id: run.info.run_name for run in runs}
    return sorted(
        (
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            sorted(run.data.metrics.items()),
            sorted(run.data.params.items()),
            sorted(
                (key, RUN_ID.sub(lambda id_: named[id_[0]], value) if key == NOTE else value)
                for key, value in run.data.tags.items()
                if key not in (PARENT, "tunebench.digest")
            ),
        )
        for run in runs
    )
