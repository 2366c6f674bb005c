"""Several processes that train together: the steps of one, a share of the rows each; none waits
for one that is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch
from tunebench.config import TrainSettings
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study.prepare_run import PreparedRun, prepare_run
from tunebench.training.fit import Fitted, fit
from tunebench.training.ranks import RankLostError

from tests import small
from tests.training.interrupting import Asked, assert_same, everything, place

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> PreparedRun:
    """Batches of seven, and a last one of four: unequal shares."""
    checkpoint = small.make_folder(tmp_path_factory.mktemp("checkpoint") / "tiny-bert")
    settings = TrainSettings(batch_size=7, accelerator="cpu", threads=1, head_dropout=0.0)
    experiment = small.experiment(checkpoint, checkpoint.parent, train=settings)
    return prepare_run(experiment, Store(checkpoint.parent), Quiet())


def train(run: PreparedRun, devices: int, method: str, **settings: Any) -> Fitted:
    (prepared,) = run.tasks.values()
    experiment = run.context.experiment
    dropout = settings.pop("head_dropout", 0.0)
    changed = replace(experiment.train, devices=devices, head_dropout=dropout)
    usual = {"epochs": 2, "seed": 5, "by_epoch": True, "progress": Quiet()}
    return fit(
        run.context.base_model,
        get_method(method)(**settings.pop("hyperparameters", {})),
        prepared,
        replace(experiment, train=changed),
        **(usual | settings),
    )


@pytest.mark.parametrize(
    ("method", "devices", "micro_batch"),
    [("lora", 2, None), ("lora", 2, 2), ("full", 3, None), ("prompt", 2, None), ("head", 2, None)],
)
def test_they_take_the_steps_of_one_process(
    run: PreparedRun, method: str, devices: int, micro_batch: int | None
) -> None:
    """Kills a mean of means, another order of rows, and a gradient that is summed."""
    single = train(run, 1, method)
    together = train(run, devices, method, micro_batch=micro_batch)
    expected, weights = trained(single.classifier), trained(together.classifier)
    assert weights.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.allclose(weights[name], weight, rtol=2e-4, atol=2e-5), name
    assert together.curve.steps == single.curve.steps
    assert together.curve.loss == pytest.approx(single.curve.loss, abs=1e-4)
    assert together.curve.validation == pytest.approx(single.curve.validation)
    assert not torch.distributed.is_initialized()
    assert not active_children()


def test_dropout_of_each_is_its_own_and_the_same_every_time(run: PreparedRun) -> None:
    settings = {"head_dropout": 0.5, "hyperparameters": {"rank": 2, "dropout": 0.5}}
    one, again = (train(run, 2, "lora", **settings) for _ in range(2))
    assert_same(everything(run, one), everything(run, again))


def test_asked_to_stop_all_stop_at_a_step_and_go_on_to_the_same_bits(
    run: PreparedRun, tmp_path: Path
) -> None:
    """Each with the random numbers that it had."""
    settings = {"head_dropout": 0.5}
    whole = train(run, 2, "lora", **settings)
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(run, 2, "lora", unfinished=place(tmp_path, notes), progress=Asked(3), **settings)
    assert [note.startswith("stopped; step 3 of") for note in notes] == [True]
    assert not active_children()
    rest = train(run, 2, "lora", unfinished=place(tmp_path), **settings)
    assert_same(everything(run, rest), everything(run, whole))


class Killing(Quiet):  # type: ignore[misc]
    """Ends the other process while a step is under way."""

    def step(self, step: int, steps: int, loss: float) -> None:
        if step == 2:
            (other,) = active_children()
            assert other.pid is not None
            os.kill(other.pid, signal.SIGKILL)


def test_a_process_that_is_killed_ends_the_training_with_its_reason(run: PreparedRun) -> None:
    with pytest.raises(RankLostError, match=r"^rank 1 ended by signal 9$"):
        train(run, 2, "lora", progress=Killing())
    assert not torch.distributed.is_initialized()


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert not active_children()
