"""What a run with nothing left costs: each record is read once, and MLflow asked for all at once.

Counted are opened files and calls to MLflow; nothing is timed.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.config import Experiment
from tunebench.records import Result
from tunebench.study import execution
from tunebench.study.compare import compare
from tunebench.study.completed import MARK
from tunebench.tracking import Tracker

from tests import small
from tests.file_calls import counted
from tests.records import comparison

OF_CELLS = ("cells", "adapters", "predictions", "trials")
"""The folders that have files for each cell or trial."""


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first cell of each method is trained, and the others are copies of it."""
    inner, trained = execution.execute, {}

    def execute(job: Any, run: Any) -> Any:
        out = run.context.store.out
        if job.kind != "cell" or job.method not in trained:
            record = inner(job, run)
            if job.kind == "cell":
                shutil.copytree(out, tmp_path / job.method)
                trained[job.method] = record
            return record
        first: Result = trained[job.method]
        record = dataclasses.replace(
            first,
            cell=job.name,
            seed=job.seed,
            adapter=f"adapters/{job.name}.safetensors",
            predictions=f"predictions/{job.name}.parquet",
        )
        for source, target in (
            (first.adapter, record.adapter),
            (first.predictions, record.predictions),
        ):
            (out / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / job.method / source, out / target)
        return record

    monkeypatch.setattr(execution, "execute", execute)


def opened(experiment: Experiment) -> dict[str, Counter[int]]:
    """Run it; folder → how many of its files were opened how often."""
    with counted() as calls:
        rows = compare(experiment).results
    assert {row.status for row in rows} == {"complete"}
    times: dict[str, Counter[int]] = {folder: Counter() for folder in OF_CELLS}
    for (kind, path), count in calls.items():
        inside = path.startswith(f"{experiment.out}/")
        folder = path.removeprefix(f"{experiment.out}/").partition("/")[0] if inside else ""
        if kind == "open" and folder in times:
            times[folder][count] += 1
    return times


@pytest.mark.slow
@pytest.mark.usefixtures("records_only", "copied")
def test_a_run_with_nothing_left_opens_each_record_and_its_files_once(checkpoint, out):
    experiment = small.experiment(checkpoint, out, seeds=tuple(range(10)))
    compare(experiment)
    once = {"cells": {1: 20}, "adapters": {1: 20}, "predictions": {1: 20}, "trials": {1: 2}}
    # As it is, by the mark that is left; and with all that a run looks at.
    assert opened(experiment) == once
    (out / MARK).unlink()
    assert opened(experiment) == once


def asked(out: Path, seeds: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Calls to MLflow for a comparison of which it has every run already."""
    analysis = analyse(comparison(seeds=tuple(range(seeds)), out=out))
    first = Tracker(None, out)
    first.sync(analysis, status="finished")
    first.close(analysis, status="finished")
    calls: Counter[str] = Counter()

    def counting(name: str, inner: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            calls[name] += 1
            return inner(*arguments, **more)

        return call

    with monkeypatch.context() as patch:
        for name, inner in vars(MlflowClient).items():
            if callable(inner) and not name.startswith("_"):
                patch.setattr(MlflowClient, name, counting(name, inner))
        again = Tracker(None, out)
        again.sync(analysis, status="finished")
        again.close(analysis, status="finished")
    return calls


@pytest.mark.slow
def test_mlflow_is_asked_for_all_runs_at_once(make_out, monkeypatch):
    few, many = (asked(make_out(f"seeds{n}"), n, monkeypatch) for n in (1, 4))
    assert many == few
    assert many["search_runs"] == 1
