"""A training that was interrupted goes on where it was: the same weights, answers and curve."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tunebench.methods import get_method
from tunebench.methods.base import trained
from tunebench.progress import Quiet
from tunebench.study.prepare_run import PreparedRun
from tunebench.training import fit as fitting
from tunebench.training.classifier import Classifier
from tunebench.training.fit import Fitted
from tunebench.training.unfinished import Unfinished

from tests.training.interrupting import (
    EPOCHS,
    METHODS,
    STEPS,
    Asked,
    assert_same,
    everything,
    place,
    train,
)

pytestmark = pytest.mark.usefixtures("one_thread")
FAST = {("lora", 3), ("full", STEPS), ("p_tuning", STEPS + 2)}


@pytest.fixture
def run(interrupted_run: PreparedRun) -> PreparedRun:
    return interrupted_run


@pytest.mark.parametrize(
    ("name", "step"),
    [
        pytest.param(name, step, marks=[] if (name, step) in FAST else pytest.mark.slow)
        for name in METHODS
        for step in (1, 3, STEPS, STEPS + 2, 3 * STEPS - 1)
    ],
)
def test_interrupted_at_any_step_it_goes_on_to_the_same_bits(
    run: PreparedRun, uninterrupted: Any, tmp_path: Path, name: str, step: int
) -> None:
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(
            run,
            get_method(name)(**METHODS[name]),
            place(tmp_path, notes),
            progress=Asked(step),
        )
    assert notes == [f"stopped; step {step} of {EPOCHS * STEPS} is kept"]
    unfinished = place(tmp_path)
    assert unfinished.position is not None
    assert (unfinished.position.step, unfinished.position.passes) == (step, step // STEPS)
    heard = Asked()
    torch.manual_seed(99)  # another process begins with other random numbers
    fitted = train(run, get_method(name)(**METHODS[name]), unfinished, progress=heard)
    assert heard.steps == list(range(step + 1, EPOCHS * STEPS + 1))
    assert_same(everything(run, fitted), uninterrupted(name))


def test_what_is_kept_at_every_step_is_worth_the_same(
    run: PreparedRun, uninterrupted: Any, tmp_path: Path
) -> None:
    """Interrupted again and again, a few steps each time."""
    settings, steps = METHODS["lora"], iter([2, 3, 4, 8, 11])
    fitted = None
    while fitted is None:
        unfinished = place(tmp_path, every=0.0)
        try:
            fitted = train(
                run, get_method("lora")(**settings), unfinished, progress=Asked(next(steps, 0))
            )
        except KeyboardInterrupt:
            continue
    assert_same(everything(run, fitted), uninterrupted("lora"))


@pytest.mark.parametrize("moment", ["in the judgement", "after it"])
@pytest.mark.parametrize("epoch", [1, 2])
def test_interrupted_between_two_epochs_no_judgement_is_lost_or_made_twice(
    run: PreparedRun,
    uninterrupted: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    epoch: int,
) -> None:
    def asks() -> None:
        asks.calls += 1  # type: ignore[attr-defined]
        if asks.calls == epoch:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGINT)

    asks.calls = 0  # type: ignore[attr-defined]
    judge = fitting.judge
    if moment == "in the judgement":
        monkeypatch.setattr(fitting, "judge", lambda *arguments: (asks(), judge(*arguments))[1])
    else:
        monkeypatch.setattr(Classifier, "on_train_epoch_end", lambda self: asks(), raising=False)
    method = get_method("lora")
    with pytest.raises(KeyboardInterrupt):
        train(run, method(**METHODS["lora"]), place(tmp_path))
    unfinished = place(tmp_path)
    assert unfinished.position is not None
    assert (unfinished.position.step, unfinished.position.parts) == (epoch * STEPS, 0)
    fitted = train(run, method(**METHODS["lora"]), unfinished)
    assert len(fitted.curve.validation) == EPOCHS - 1
    assert_same(everything(run, fitted), uninterrupted("lora"))


class Noisy(get_method("lora")):  # type: ignore[misc]
    """Adds random numbers of all three generators to what it trains, before and after a step."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *rest: Any) -> None:
        self.noise(pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *rest: Any) -> None:
        self.noise(pl_module)

    def noise(self, module: Any) -> None:
        draws = (random.gauss(0, 1), np.random.normal(), torch.randn(()).item())  # noqa: NPY002
        with torch.no_grad():
            for weights in trained(module).values():
                weights += 0.01 * sum(draws)


def test_every_random_generator_goes_on_where_it_was(run: PreparedRun, tmp_path: Path) -> None:
    def seeded() -> Noisy:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        return Noisy(rank=2)

    expected = everything(run, train(run, seeded()))
    with pytest.raises(KeyboardInterrupt):
        train(run, seeded(), place(tmp_path), progress=Asked(5))
    random.seed(2)
    np.random.seed(2)  # noqa: NPY002
    assert_same(everything(run, train(run, Noisy(rank=2), place(tmp_path))), expected)


@pytest.mark.parametrize("step", [2, STEPS])
def test_batches_in_parts_go_on_between_two_steps(
    run: PreparedRun, tmp_path: Path, step: int
) -> None:
    def part(unfinished: Unfinished | None = None, **settings: Any) -> Fitted:
        return train(run, get_method("lora")(rank=2), unfinished, micro_batch=3, **settings)

    expected = everything(run, part())
    with pytest.raises(KeyboardInterrupt):
        part(place(tmp_path), progress=Asked(step))
    unfinished = place(tmp_path)
    assert unfinished.position is not None
    assert unfinished.position.micro_batch == 3
    assert_same(everything(run, part(unfinished)), expected)


def test_what_it_took_adds_up_and_what_trains_alone_is_kept(
    run: PreparedRun, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(run, get_method("lora")(rank=2), place(tmp_path), progress=Asked(3))
    unfinished = place(tmp_path)
    assert unfinished.position is not None
    unfinished.position = dataclasses.replace(unfinished.position, seconds=5000.0, memory_mib=1e6)
    content = unfinished._content
    fitted = train(run, get_method("lora")(rank=2), unfinished)
    assert fitted.seconds > 5000.0
    assert fitted.memory_mib == 1e6
    assert content["state_dict"].keys() == trained(fitted.classifier).keys()


def test_a_training_is_kept_when_the_time_between_two_is_over(
    run: PreparedRun, tmp_path: Path
) -> None:
    """By a clock that goes on by a second in each step."""
    seconds, kept = [0.0], []
    unfinished = place(tmp_path, every=5.0, clock=lambda: seconds[0])

    class Heard(Quiet):
        def step(self, step: int, steps: int, loss: float) -> None:
            seconds[0] += 1.0
            if unfinished.path.exists():
                other = place(tmp_path)
                assert other.position is not None
                kept.append(other.position.step)

    train(run, get_method("head")(), unfinished, progress=Heard())
    assert sorted(set(kept)) == [5, 10]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "lora" else pytest.mark.slow) for name in METHODS],
)
def test_a_training_that_was_kept_is_kept_at_its_end_and_then_trains_nothing(
    run: PreparedRun, uninterrupted: Any, tmp_path: Path, name: str
) -> None:
    """Who is stopped while it is tested goes on with the test, and with the random numbers."""
    train(run, get_method(name)(**METHODS[name]), place(tmp_path, every=0.0))
    states = torch.get_rng_state(), random.getstate(), np.random.random()  # noqa: NPY002
    ended = place(tmp_path)
    assert ended.position is not None
    assert ended.position.step == EPOCHS * STEPS
    heard = Asked()
    torch.manual_seed(99)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    fitted = train(run, get_method(name)(**METHODS[name]), ended, progress=heard)
    assert heard.steps == []
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.random()) == states[1:]  # noqa: NPY002
    assert_same(everything(run, fitted), uninterrupted(name))


def test_a_short_training_leaves_no_file(run: PreparedRun, tmp_path: Path) -> None:
    train(run, get_method("head")(), place(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_second_ctrl_c_does_not_wait_for_the_step(run: PreparedRun, tmp_path: Path) -> None:
    class Twice(Asked):
        def step(self, step: int, steps: int, loss: float) -> None:
            super().step(step, steps, loss)
            if step == self.at:
                os.kill(os.getpid(), self.number)
                raise AssertionError("the second one was waited with")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(run, get_method("head")(), place(tmp_path), progress=Twice(3))
    assert not (tmp_path / "kept.ckpt").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_asked_in_its_last_step_a_training_ends_and_the_process_stops(
    run: PreparedRun, uninterrupted: Any, tmp_path: Path
) -> None:
    notes: list[str] = []
    asked = Asked(EPOCHS * STEPS)
    with pytest.raises(KeyboardInterrupt):
        train(run, get_method("head")(), place(tmp_path, notes), progress=asked)
    assert asked.steps[-1] == EPOCHS * STEPS
    assert notes == [f"stopped; step {EPOCHS * STEPS} of {EPOCHS * STEPS} is kept"]
    heard = Asked()
    fitted = train(run, get_method("head")(), place(tmp_path), progress=heard)
    assert heard.steps == []
    assert_same(everything(run, fitted), uninterrupted("head"))
