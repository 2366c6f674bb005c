"""Whose energy is known: that of a cell with nothing else of the comparison beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tunebench.data.load import load_tasks
from tunebench.measure import energy
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.records import Result, Trial
from tunebench.store.store import PlannedCell, Store
from tunebench.study import execution as executions
from tunebench.study.execution import Execution
from tunebench.study.jobs import Job, cell_job, plain, trial_jobs
from tunebench.study.member import Member
from tunebench.study.prepare_run import prepare_run

from tests import small

Make = Callable[..., Execution]


@pytest.fixture(autouse=True)
def counter(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one package, whose counter stands still."""
    zone = tmp_path_factory.mktemp("powercap") / "intel-rapl:0"
    zone.mkdir()
    for name, text in (("name", "package-0"), ("energy_uj", "7"), ("max_energy_range_uj", "99")):
        (zone / name).write_text(text)
    monkeypatch.setattr(energy, "POWERCAP", zone.parent)


@pytest.fixture
def made(checkpoint: Path, out: Path) -> Make:
    """What runs jobs in a folder, as a member of it or by itself."""

    def make(member: Member | None) -> Execution:
        experiment = small.experiment(checkpoint, out)
        data = load_tasks(experiment.tasks, experiment.data, say=Quiet().note)
        run = prepare_run(experiment, Store(out), Quiet(), data=data)
        return Execution(run, data, member)

    return make


def jobs(execution: Execution) -> tuple[Job, Job]:
    """A trial and a cell."""
    (task,) = execution.run.tasks
    settings = plain(get_method("lora")().hyperparameters())
    (trial,) = trial_jobs("study", task, "lora", 0, 1)
    cell = cell_job(PlannedCell("cell", "study", task, "lora", 0), ())
    filled = {"number": 0, "hyperparameters": settings}
    return dataclasses.replace(trial, **filled), dataclasses.replace(cell, **filled)


def test_a_cell_by_itself_is_measured_and_a_trial_is_not(made: Make) -> None:
    execution = made(None)
    trial, cell = map(execution, jobs(execution))
    assert isinstance(trial, Trial)
    assert isinstance(cell, Result)
    assert (trial.cost.joules, dict(cell.cost.joules)) == ({}, {"package-0": 0.0})
    assert trial.cost.tokens is not None
    assert cell.cost.tokens is not None
    # The winner trains on the validation rows too.
    assert cell.cost.tokens > trial.cost.tokens > 0
    assert trial.cost.seconds[-1] > 0


def test_beside_another_process_of_the_run_it_is_not(made: Make) -> None:
    execution = made(None).beside_others(Quiet())
    _, job = jobs(execution)
    cell = execution(job)
    assert isinstance(cell, Result)
    assert cell.cost.joules == {}
    assert cell.cost.tokens is not None


def test_a_neighbour_that_comes_meanwhile_takes_it_away(
    made: Make, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member(out, leads=False)
    member.workers.prepare()
    member.leases.prepare()
    execution, inner = made(member), executions.execute
    _, job = jobs(execution)
    seen: list[Any] = []

    def watched(job: Job, run: Any) -> Any:
        record = inner(job, run)
        seen.append(record)
        member.workers.join("neighbour", 1)
        return record

    monkeypatch.setattr(executions, "execute", watched)
    cell = execution(job)
    assert isinstance(cell, Result)
    assert seen[0].cost.joules
    assert cell.cost.joules == {}
    assert cell.cost.tokens == seen[0].cost.tokens
