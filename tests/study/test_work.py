"""Several processes on one folder: all cells once, and the table that one process makes."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tunebench.__main__ import main
from tunebench.data.load import load_tasks
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.records import Result
from tunebench.store.leases import Leases
from tunebench.store.store import PlannedCell, Store
from tunebench.store.workers import EXPIRY, Process, Workers
from tunebench.study import execution, runner, terms
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.execution import Execution
from tunebench.study.jobs import Elsewhere, cell_job, plain
from tunebench.study.member import Member
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.parcel import terms_of
from tunebench.study.prepare_run import prepare_run
from tunebench.study.work import work

from tests import small
from tests.study.test_workers import table


class Notes(Quiet):
    """Remembers what a user would read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class Stops(Quiet):
    """Ends the run with the first cell, as Ctrl-C does."""

    def finished(self, result: Result) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def stopped(checkpoint, out, records_only):
    """A comparison that somebody stopped after its first cell."""
    experiment = small.experiment(checkpoint, out, seeds=(0, 1))
    with pytest.raises(KeyboardInterrupt):
        compare(experiment, progress=Stops())
    change(out)
    return experiment


def change(out: Path, **values: Any) -> None:
    """Other values in what the leader wrote, who has renewed nothing for long."""
    path = Workers(out).run_file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    os.utime(path, (0, 0))


def test_a_worker_leads_a_comparison_that_was_stopped_to_its_end(stopped, out, make_out):
    notes = Notes()
    comparison = work(out, workers=1, progress=notes)
    assert comparison is not None
    whole = compare(dataclasses.replace(stopped, out=str(make_out("whole"))))
    assert table(comparison) == table(whole)
    assert all(row.latency_ms for row in comparison.results)
    assert notes.lines[-1] == f"the leader of {comparison.id} is gone: leading from here"
    assert examine(out) == []
    assert Workers(out).run() is None
    assert Leases(out).held() == []
    with pytest.raises(UserError, match="no comparison is run in"):
        work(out, workers=1)


def prepared(experiment, member: Member) -> Execution:
    data = load_tasks(experiment.tasks, experiment.data, say=Quiet().note)
    run = prepare_run(experiment, Store(Path(experiment.out)), Quiet(), data=data)
    return Execution(run, data, member)


def test_a_job_s_files_lie_where_nobody_reads_them_until_its_record_is_stored(checkpoint, out):
    """And a cell that was trained beside a neighbour is not timed, nor is its energy known."""
    experiment = small.experiment(checkpoint, out)
    member = Member(out, leads=False)
    member.workers.prepare()
    member.leases.prepare()
    execute = prepared(experiment, member)
    seen: list[tuple[bool, Path]] = []
    inner = execution.execute

    def watched(job, run):
        seen.append((run.context.measures_latency, run.context.store.out))
        return inner(job, run)

    (task,) = execute.run.tasks
    settings = plain(get_method("lora")().hyperparameters())
    cell = PlannedCell("cell", "study", task, "lora", 0)
    job = dataclasses.replace(cell_job(cell, ()), number=0, hyperparameters=settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "execute", watched)
        member.workers.join("neighbour", 1)
        row = execute(job)
    lease = member.lease_of(job)
    made = member.leases.made(lease)
    assert seen == [(False, made)]
    assert (row.status, row.latency, row.latency_ms) == ("complete", (), None)
    assert row.cost.joules == {}
    assert (made / row.adapter).is_file()
    assert not (out / row.adapter).exists()
    Store(out).bring(row, made)
    Store(out).put_result(row)
    row = dataclasses.replace(row, hyperparameters=plain(row.hyperparameters))
    assert Store(out).result("cell") == row
    other = dataclasses.replace(execute, member=Member(out, leads=False))
    assert isinstance(other(job), Elsewhere)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"program": "0" * 64}, "this program is another version than the comparison's leader's"),
        ({"backbone": "0" * 64}, "the backbone's weights here are not those"),
        ({"data": {}}, "the data that are read here are not those of the comparison's leader"),
        ({"data": None}, "is damaged, or another version's: it has no data"),
        ({"experiment": {"tasks": ["sst2"], "seeds": "x"}}, "seeds: must be a list"),
    ],
)
def test_who_would_make_something_else_is_refused_in_one_line(stopped, out, values, message):
    change(out, **values)
    with pytest.raises(UserError, match=message) as error:
        work(out, workers=1)
    assert "\n" not in str(error.value)
    assert Workers(out).there() == []


def test_a_device_of_another_kind_is_refused_too(stopped, out):
    content = json.loads(Workers(out).run_file.read_text())
    origins = {name: {**one, "device": "NVIDIA H100"} for name, one in content["origins"].items()}
    change(out, origins=origins)
    with pytest.raises(UserError, match="device cpu instead of NVIDIA H100"):
        work(out, workers=1)


@pytest.mark.parametrize(
    ("setting", "address", "what"),
    [
        ("tracking_uri", "http://somewhere:5000", "MLflow"),
        ("optuna_storage", "postgresql://me:***@somewhere/optuna", "Optuna's copy of the trials"),
    ],
)
def test_a_leader_whose_server_nobody_named_again_is_waited_for(
    stopped, out, setting, address, what
):
    """Who sent the folder chose that address."""
    change(out, **{setting: address})
    notes, pauses = Notes(), []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 6:
            Workers(out).end()

    assert work(out, workers=1, progress=notes, sleep=sleep) is None
    (line,) = [one for one in notes.lines if ", which led, is gone; " in one]
    assert f"gone; its {what} is at {address}, which is not contacted unless you name" in line
    assert f"--{setting.replace('_', '-')}: waiting" in line
    assert notes.lines[-1].endswith("has ended")
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_a_worker_that_leads_writes_to_the_server_that_was_typed(stopped, out, monkeypatch):
    """And asks for an address that Optuna's copy can have."""
    change(out, optuna_storage="postgresql://me:***@somewhere/optuna")
    with pytest.raises(UserError, match="optuna_storage: must be") as error:
        work(out, workers=1, optuna_storage="sqlite:///trials.db")
    assert "\n" not in str(error.value)
    addresses = []

    def database(store, note, address, attributes):
        addresses.append(address)
        return OptunaDatabase(store, note, attributes=attributes)

    monkeypatch.setattr(runner, "OptunaDatabase", database)
    typed = "postgresql://me:canary-5d1@somewhere/optuna"
    comparison = work(out, workers=1, optuna_storage=typed)
    assert comparison is not None
    assert addresses == [typed]
    assert not any(b"canary-5d1" in file.read_bytes() for file in out.rglob("*") if file.is_file())


def test_a_leader_on_another_host_is_gone_when_it_renews_nothing(stopped, out):
    far = dataclasses.asdict(Process("far", 1, "another boot"))
    change(out, process=far)
    os.utime(Workers(out).run_file)
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds
        if clock[0] > 40:
            age = Workers(out).now() - EXPIRY - 5
            os.utime(Workers(out).run_file, (age, age))

    comparison = work(out, workers=1, clock=lambda: clock[0], sleep=sleep)
    assert comparison is not None
    assert clock[0] > 40


def test_a_folder_that_cannot_be_written_or_read_is_one_line(stopped, out, capsys, monkeypatch):
    assert main(["work", "--out", str(out), "--wait", "x"]) == 2
    assert "--wait: must be a whole number of seconds, but got 'x'" in capsys.readouterr().err
    assert main(["work", "--out", str(out / "nowhere")]) == 2
    assert "no folder" in capsys.readouterr().err
    folder = out / "work" / "workers"
    folder.rmdir()
    folder.write_text("")
    assert main(["work", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"cannot write {out / 'work'}: " in line


def test_the_terms_hold_for_who_prepares_the_same(checkpoint, out, stopped):
    """What the leader wrote and what a worker computes are one digest."""
    run, _ = Workers(out).run()
    execute = prepared(stopped, Member(out, leads=False))
    assert terms.in_common(execute) == {key: run[key] for key in terms.in_common(execute)}
    assert terms_of(run) == terms_of({**run, "runner": "other", "command": "other"})
