"""Comparisons with several workers: the same table, timed alone, and nothing trained twice."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest
from tunebench.config import Experiment, SearchSettings, TrainSettings
from tunebench.data.load import load_tasks
from tunebench.methods.lora import LoRA
from tunebench.progress import Quiet
from tunebench.records import Comparison, Result, TrainingCost
from tunebench.store.store import Store
from tunebench.study import cell, runner
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.execution import Execution
from tunebench.study.jobs import baseline_job
from tunebench.study.prepare_run import prepare_run, workers_of

from tests import small

SEARCH = SearchSettings(trials=6, trial_epochs=1, epochs=1)


def table(comparison: Comparison) -> list[object]:
    """All that does not tell the time."""
    measured: dict[str, Any] = {
        "train_seconds": None,
        "peak_memory_mib": None,
        "latency_ms": None,
        "latency": (),
        "cost": TrainingCost(),
        "finished": "",
    }
    rows = [dataclasses.replace(row, **measured) for row in comparison.results]
    trials = [
        dataclasses.replace(trial, seconds=0.0, cost=TrainingCost()) for trial in comparison.trials
    ]
    return [comparison.id, rows, trials, comparison.references]


@pytest.mark.usefixtures("records_only")
def test_the_table_is_the_same_for_any_number_of_workers(checkpoint, make_out):
    """Bit for bit: scores, trials, settings; each cell is timed, and its files are its own."""

    def run(workers: int) -> list[object]:
        out = make_out(f"workers{workers}")
        experiment = small.experiment(checkpoint, out, search=SEARCH, seeds=(0, 1), workers=workers)
        comparison = compare(experiment)
        assert {row.status for row in comparison.results} == {"complete"}
        assert all(len(row.latency) == 2 and row.latency_ms for row in comparison.results)
        assert examine(out) == []
        return table(comparison)

    expected = run(1)
    assert run(2) == expected
    assert run(4) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("records_only")
def test_two_workers_with_two_threads_each_give_what_one_with_two_gives(checkpoint, make_out):
    """They start afresh, since OpenMP's threads do not survive a fork."""
    train = TrainSettings(batch_size=16, accelerator="cpu", threads=2)
    one, two = (
        compare(small.experiment(checkpoint, make_out(name), train=train, workers=workers))
        for name, workers in (("one", 1), ("two", 2))
    )
    assert table(two) == table(one)


def prepared(experiment: Experiment) -> Execution:
    data = load_tasks(experiment.tasks, experiment.data, say=Quiet().note)
    run = prepare_run(experiment, Store(Path(experiment.out)), Quiet(), data=data)
    return Execution(run, data)


def test_an_execution_travels_as_settings_and_data(checkpoint, out):
    """Whoever reads it prepares the same; weights and tokens are not sent."""
    execution = prepared(small.experiment(checkpoint, out))
    text = pickle.dumps(execution)
    assert len(text) < 30_000
    again = pickle.loads(text)
    assert again.experiment == execution.experiment
    job = baseline_job(next(iter(execution.run.tasks)))
    assert again(job) == execution(job)


def test_a_cell_beside_others_is_not_timed_until_it_is_alone(checkpoint, out, monkeypatch):
    execution = prepared(small.experiment(checkpoint, out))
    assert execution.run.context.measures_latency
    assert not execution.beside_others(Quiet()).run.context.measures_latency


@pytest.mark.usefixtures("records_only")
def test_a_run_that_stopped_before_it_timed_its_cells_times_them_and_trains_nothing(
    checkpoint, out, monkeypatch
):
    experiment = small.experiment(checkpoint, out)
    before = compare(experiment)
    store = Store(out)
    for row in before.results:
        store.put_result(dataclasses.replace(row, latency=(), latency_ms=None))

    def no_training(*_: Any, **__: Any) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(cell, "fit", no_training)
    for workers in (1, 2):
        after = compare(dataclasses.replace(experiment, workers=workers))
        assert table(after) == table(before)
        assert all(row.latency_ms and len(row.latency) == 2 for row in after.results)


class Unservable(LoRA):
    """Trains and cannot be folded."""

    def fold(self, *_: Any, **__: Any) -> bool:
        raise ValueError("cannot be folded")


@pytest.mark.usefixtures("records_only")
def test_a_cell_that_cannot_be_served_is_the_same_row_for_any_number_of_workers(
    checkpoint, make_out, monkeypatch
):
    monkeypatch.setattr(LoRA, "fold", Unservable.fold)
    rows = []
    for workers in (1, 2):
        experiment = small.experiment(checkpoint, make_out(f"runs{workers}"), workers=workers)
        comparison = compare(experiment)
        (row,) = [row for row in comparison.results if row.method == "lora"]
        assert (row.status, row.reason) == ("error", "ValueError: cannot be folded")
        rows.append(table(comparison))
    assert rows[0] == rows[1]


@pytest.mark.usefixtures("records_only")
def test_a_worker_that_is_lost_costs_its_own_job_alone(checkpoint, out, monkeypatch):
    """A method that takes its process with it is a row that says so; the next start tries again."""
    monkeypatch.setattr(LoRA, "save", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    experiment = small.experiment(checkpoint, out, workers=2)
    rows = {row.method: row for row in compare(experiment).results}
    assert rows["head"].status == "complete"
    assert rows["lora"].status == "error"
    assert rows["lora"].failure == "transient"
    assert rows["lora"].reason == "the process that ran it ended by signal 9, 2 times"
    assert rows["lora"].hyperparameters
    monkeypatch.undo()
    assert {row.status for row in compare(experiment).results} == {"complete"}


class Hurried(Quiet):
    """Lets the time run out with the first cell."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    def finished(self, result: Result) -> None:
        self.clock[0] = 10_000.0


@pytest.mark.usefixtures("records_only")
def test_when_the_time_is_up_what_was_trained_is_still_timed(checkpoint, out, monkeypatch):
    clock = [0.0]
    inner = runner.Deadline
    monkeypatch.setattr(
        runner, "Deadline", lambda hours, workers: inner(hours, lambda: clock[0], workers)
    )
    experiment = small.experiment(
        checkpoint, out, until="decided", hours=1.0, workers=2, methods={"head": {}, "lora": {}}
    )
    comparison = compare(experiment, progress=Hurried(clock))
    rows = [row for row in comparison.results if row.status == "complete"]
    assert 0 < len(rows) < 6
    assert all(row.latency_ms for row in rows)


def test_workers_are_as_many_as_were_asked_for_or_as_there_are_cores(checkpoint, out, monkeypatch):
    monkeypatch.setattr("tunebench.study.prepare_run.usable_cores", lambda: 6)
    experiment = small.experiment(checkpoint, out)
    assert workers_of(dataclasses.replace(experiment, workers=0)) == 6
    assert workers_of(dataclasses.replace(experiment, workers=3)) == 3
