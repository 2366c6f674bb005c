"""What is sent to a node and comes back: the same record, files, and trainings under way."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import resource
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tunebench.data.load import load_tasks
from tunebench.progress import Quiet
from tunebench.records import Result, TrainingCost, Trial
from tunebench.store.store import PlannedCell, Store
from tunebench.study import remote
from tunebench.study.execution import Execution
from tunebench.study.jobs import Job, cell_job, execute, trial_jobs
from tunebench.study.member import Member
from tunebench.study.prepare_run import prepare_run
from tunebench.study.remote import Returned, Setup, kept_of, run_there, unpack

from tests.study.stopping import experiment

SETTINGS = {"rank": 4}
(TRIAL,) = (
    dataclasses.replace(one, hyperparameters=SETTINGS)
    for one in trial_jobs("study", "reviews", "lora", 0, 1)
)
CELL = dataclasses.replace(
    cell_job(PlannedCell("reviews-lora-seed0", "study", "reviews", "lora", 0), [TRIAL]),
    hyperparameters=SETTINGS,
    number=0,
)


class Heard(Quiet):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def sender(checkpoint: Path, out: Path) -> Execution:
    """A command that leads in a folder."""
    settings = experiment(str(checkpoint), str(out), workers=1)
    data = load_tasks(settings.tasks, settings.data, say=lambda _: None)
    run = prepare_run(settings, Store(out), Heard(), data=data)
    return Execution(run, data, Member(out, leads=True))


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is prepared yet, and what a node sets is taken back."""
    monkeypatch.setattr(remote, "_prepared", {})
    monkeypatch.setenv("SLURM_JOB_NAME", "a batch job")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")


def lead(sender: Execution, runner: str) -> None:
    """The folder says that a command leads there."""
    assert sender.member is not None
    sender.member.workers.prepare()
    sender.member.workers.lead({"runner": runner})


def there(sender: Execution, job: Job, kept: Any = None) -> Returned:
    """Runs a job on a node: all of it travels."""
    setup, sent = pickle.loads(pickle.dumps((Setup.of(sender), (job, kept))))
    returned: Returned = pickle.loads(pickle.dumps(run_there("run", lambda: setup, *sent)))
    return returned


def timeless(record: Any) -> Any:
    if isinstance(record, Trial):
        return dataclasses.replace(record, seconds=0.0, cost=TrainingCost())
    measured = {"train_seconds": 0.0, "peak_memory_mib": 0.0, "cost": TrainingCost()}
    return dataclasses.replace(record, **measured, finished="")


def test_threads_and_folder_are_those_of_the_sender_on_every_node(
    sender: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many threads as a node has cores would give other sums on each."""
    monkeypatch.setattr(remote, "usable_cores", lambda: 3)
    monkeypatch.chdir(sender.run.context.store.out.parent)
    asked = sender.experiment
    every_core = dataclasses.replace(asked.train, threads=0)
    named = dataclasses.replace(asked, out=Path(asked.out).name, train=every_core)
    monkeypatch.setattr(Execution, "experiment", property(lambda self: named))
    setup = Setup.of(sender)
    assert setup.experiment.train.threads == 3
    assert setup.experiment.out == str(Path(asked.out).absolute())


def test_a_trial_gives_there_what_it_gives_here(sender: Execution) -> None:
    returned = there(sender, TRIAL)
    assert timeless(returned.record) == timeless(execute(TRIAL, sender.run))
    assert returned.record is not None
    assert returned.record.status == "complete"
    assert (returned.files, returned.kept, returned.refused) == ({}, None, "")


def test_a_cell_brings_its_files_and_leaves_nothing_in_the_sender_s_folder(
    sender: Execution, tmp_path: Path
) -> None:
    store = sender.run.context.store
    before = sorted(store.out.rglob("*"))
    returned = there(sender, CELL)
    record = returned.record
    assert isinstance(record, Result)
    assert record.status == "complete"
    assert record.latency == ()  # what else runs on a node is not known
    assert sorted(store.out.rglob("*")) == before
    unpack(returned, CELL, sender, tmp_path / "brought")
    here = execute(CELL, sender.run)
    assert timeless(record) == timeless(dataclasses.replace(here, latency=(), latency_ms=None))
    brought = tmp_path / "brought"
    predictions = [(folder / record.predictions).read_bytes() for folder in (brought, store.out)]
    assert predictions[0] == predictions[1]
    adapters = [load_file(folder / record.adapter) for folder in (brought, store.out)]
    torch.testing.assert_close(*adapters, rtol=0, atol=0)
    assert set(returned.files) == {record.adapter, record.predictions}


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int) -> list[int]:
    """Nodes are asked to stop in a step of theirs; the steps that were done."""
    steps: list[int] = []

    def step(self: Any, number: int, *rest: Any) -> None:
        steps.append(number)
        if len(steps) == after:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(remote.Notes, "step", step)
    return steps


def test_a_training_that_is_stopped_travels_and_goes_on_at_another_node(
    sender: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = timeless(execute(TRIAL, sender.run))
    store = sender.run.context.store
    store.drop_unfinished(TRIAL.writes)
    steps = interrupted(monkeypatch, after=3)
    stopped = there(sender, TRIAL)
    assert stopped.record is None
    assert store.unfinished() == ()
    unpack(stopped, TRIAL, sender, store.out)
    assert store.unfinished() == (TRIAL.writes,)
    assert "stopped; step 3 of" in sender.run.context.progress.lines[-1]
    remote._prepared.clear()  # another process
    whole = there(sender, TRIAL, kept_of(TRIAL, store))
    assert timeless(whole.record) == expected
    assert "goes on after step 3" in whole.notes[-1]
    assert steps == list(range(1, len(steps) + 1))  # none is taken twice
    assert whole.kept is None


def test_where_the_node_sees_the_folder_a_training_is_kept_there(
    sender: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes over from a node that is lost goes on from there."""
    assert sender.member is not None
    store = sender.run.context.store
    lead(sender, sender.member.runner)
    interrupted(monkeypatch, after=3)
    stopped = there(sender, TRIAL)
    assert (stopped.record, stopped.kept) == (None, None)
    assert store.unfinished() == (TRIAL.writes,)


def test_a_folder_of_the_same_name_on_another_disk_is_not_the_sender_s(
    sender: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(sender, "another command")
    interrupted(monkeypatch, after=3)
    assert there(sender, TRIAL).kept is not None
    assert sender.run.context.store.unfinished() == ()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"program": "0" * 64}, "this program is another version"),
        ({"backbone": "0" * 64}, "the backbone's weights here are not those"),
        ({"data": {"reviews": "0" * 64}}, "reviews: the data that are read here are not those"),
        ({"origins": {"reviews lora": {"device": "an abacus"}}}, "would not be one of the"),
    ],
)
def test_a_node_that_would_make_something_else_makes_nothing(
    sender: Execution, changed: Mapping[str, Any], reason: str
) -> None:
    setup = Setup.of(sender)
    setup = dataclasses.replace(setup, common={**setup.common, **changed})
    returned = run_there("run", lambda: setup, TRIAL)
    assert returned.record is None
    assert reason in returned.refused
    assert "\n" not in returned.refused


def test_a_node_that_cannot_write_says_so_and_its_job_has_no_record(
    sender: Execution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record with the reason would count as the job's, and a full node ends jobs quickly."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        full = there(sender, CELL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (full.record, full.files) == (None, {})
    assert re.fullmatch(r"cannot write /.*\.(parquet|safetensors): File too large", full.refused)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in there(sender, CELL).refused


def test_a_process_prepares_once_for_a_run(sender: Execution) -> None:
    asked: list[str] = []

    def setup() -> Setup:
        asked.append("")
        return Setup.of(sender)

    for run in ("a", "a", "b"):
        assert run_there(run, setup, TRIAL).record is not None
    assert len(asked) == 2


def test_a_process_that_slurm_started_trains_by_itself(
    sender: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning would wait for 63 others."""
    for name, value in {"NTASKS": "64", "NTASKS_PER_NODE": "8", "PROCID": "3"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    record = there(sender, TRIAL).record
    assert record is not None
    assert record.status == "complete", record.reason
