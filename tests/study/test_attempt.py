"""What an attempt leaves behind: its record, and no network in memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tunebench.backbone.model import Backbone
from tunebench.config import SearchSettings
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.records import Result, Trial
from tunebench.store.store import PlannedCell, Store
from tunebench.study.attempt import attempt
from tunebench.study.jobs import cell_job, trial_jobs
from tunebench.study.prepare_run import prepare_run
from tunebench.training import fit
from tunebench.training.watch import DivergedError

from tests import small


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Backbone]]]:
    """Every copy of the backbone that is made, while Python's collector does not come by itself."""
    made = []
    build = fit.build

    def noted(*arguments: Any, **named: Any) -> Any:
        # Whatever stood before is gone when the next one is made: two would not fit.
        assert left(made) == []
        classifier = build(*arguments, **named)
        made.append(weakref.ref(classifier.backbone))
        return classifier

    monkeypatch.setattr(fit, "build", noted)
    gc.collect()
    gc.disable()
    yield made
    gc.enable()


def left(networks: list[weakref.ref[Backbone]]) -> list[Backbone]:
    return [network for reference in networks if (network := reference()) is not None]


def attempted(checkpoint: Path, out: Path, kind: str) -> Trial | Result:
    """Train LoRA once, as a trial of a search or as a cell."""
    search = SearchSettings(trials=1, trial_epochs=1, epochs=1)
    experiment = small.experiment(checkpoint, out, methods={"lora": {}}, search=search)
    run = prepare_run(experiment, Store(out), Quiet())
    (task,) = run.tasks
    (trial,) = trial_jobs("study", task, "lora", 3, 1)
    planned = PlannedCell("cell", "study", task, "lora", 0)
    job = trial if kind == "trial" else cell_job(planned, (trial,))
    chosen = replace(job, hyperparameters={"rank": 2}, number=0, validation_score=0.5)
    return attempt(chosen, run, run.tasks[task])


def assert_is_of_its_job(record: Trial | Result) -> None:
    """Names, number, settings and the validation score of the trial that they come from."""
    if isinstance(record, Trial):
        assert (record.study, record.number, record.params["rank"]) == ("study", 0, 2)
        return
    assert (record.cell, record.study, record.method, record.seed) == ("cell", "study", "lora", 0)
    assert (record.best_trial, record.validation_score) == (0, 0.5)
    assert record.hyperparameters["rank"] == 2
    assert record.origin


@pytest.mark.parametrize("kind", ["trial", "cell"])
@pytest.mark.parametrize(
    ("hook", "error", "status"),
    [
        ("plugs", KeyError, "error"),
        ("on_train_batch_start", KeyError, "error"),
        ("on_train_end", DivergedError, "diverged"),
    ],
)
def test_a_failed_attempt_keeps_no_network(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    networks: list[weakref.ref[Backbone]],
    kind: str,
    hook: str,
    error: type[Exception],
    status: str,
) -> None:
    def fails(*arguments: Any, **named: Any) -> None:
        raise error("the loss became nan")

    monkeypatch.setattr(get_method("lora"), hook, fails)
    record = attempted(checkpoint, tmp_path, kind)
    assert (record.status, len(networks)) == (status, 1)
    assert_is_of_its_job(record)
    assert left(networks) == []


@pytest.mark.parametrize("kind", ["trial", "cell"])
def test_an_attempt_that_completes_keeps_no_network(
    checkpoint: Path, tmp_path: Path, networks: list[weakref.ref[Backbone]], kind: str
) -> None:
    record = attempted(checkpoint, tmp_path, kind)
    assert (record.status, len(networks)) == ("complete", 1)
    assert_is_of_its_job(record)
    assert left(networks) == []


def test_what_was_too_large_is_gone_before_it_is_tried_in_parts(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    networks: list[weakref.ref[Backbone]],
) -> None:
    def full(self: Any, trainer: Any, module: Any, batch: Any, number: int) -> None:
        if len(networks) < 3:
            raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(get_method("lora"), "on_train_batch_start", full, raising=False)
    record = attempted(checkpoint, tmp_path, "trial")
    assert (record.status, record.micro_batch, len(networks)) == ("complete", 4, 3)
    assert left(networks) == []
