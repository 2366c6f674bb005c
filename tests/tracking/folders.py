"""Output folders as runs leave them, and what a server shows of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.records import Comparison, Study
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.study.publish import without_secrets
from tunebench.tracking import Tracker


def publish(out: Path, uri: str | None, records: Comparison) -> None:
    """What a run of a comparison does once everything is trained."""
    tracker, analysis = Tracker(uri, out), analyse(records)
    tracker.sync(analysis, status="running")
    tracker.sync(analysis, status="finished")
    tracker.close(analysis, status="finished")


def runs_of(uri: str) -> dict[str, tuple[Any, ...]]:
    """Every run that a store shows, by id, with its times."""
    client = MlflowClient(uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(ids, max_results=1000)
    return {r.info.run_id: (r.info.run_name, r.info.start_time, r.info.end_time) for r in runs}


def put(out: Path, records: Comparison, tracking_uri: str | None = None) -> Store:
    """A store that holds the records, as a run with that address leaves it."""
    store = Store(out)
    for row in records.results:
        if row.status != "missing":
            store.put_result(row)
    for trial in records.trials:
        store.put_trial(trial)
    plan = Plan(
        id=records.id,
        experiment={**records.experiment, "tracking_uri": tracking_uri},
        tasks=records.tasks,
        methods=records.methods,
        seeds=records.seeds,
        trials=2,
        sources=records.sources,
        notes=records.notes,
        cells=tuple(
            PlannedCell(r.cell, r.study, r.task, r.method, r.seed) for r in records.results
        ),
        studies=tuple(dict.fromkeys(Study(r.study, r.task, r.method) for r in records.results)),
        references=records.references,
        command=records.command,
        created=records.created,
    )
    store.put_plan(without_secrets(plan, tracking_uri))
    return store


class Listener:
    """Stands in for progress and keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def plan(self, *_: object) -> None: ...
    def phase(self, *_: object) -> None: ...
    def over(self, *_: object) -> None: ...
    def step(self, *_: object) -> None: ...
    def tried(self, *_: object) -> None: ...
    def finished(self, *_: object) -> None: ...
