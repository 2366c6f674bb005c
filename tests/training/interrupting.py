"""Trainings that are asked to stop, and all that they give."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch
from tunebench.methods.base import Method, trained
from tunebench.progress import Quiet
from tunebench.study.prepare_run import PreparedRun
from tunebench.training.fit import Fitted, fit, predict
from tunebench.training.unfinished import Unfinished

STEPS = 4
"""Optimizer steps in an epoch: thirty-two rows in batches of eight."""
EPOCHS = 3
NEVER = 1e9
"""Seconds between two checkpoints, so that only a stop keeps the training."""
METHODS: dict[str, dict[str, Any]] = {
    "lora": {"rank": 2, "dropout": 0.5},
    "full": {},
    "prompt": {"length": 3},
    "p_tuning": {"length": 3, "encoder": "lstm"},
    "head": {},
}


class Asked(Quiet):  # type: ignore[misc]
    """Asks the process to stop while a step is under way."""

    def __init__(self, step: int = 0, number: int = signal.SIGINT) -> None:
        self.at, self.number, self.steps = step, number, []  # type: ignore[var-annotated]

    def step(self, step: int, steps: int, loss: float) -> None:
        self.steps.append(step)
        if step == self.at:
            os.kill(os.getpid(), self.number)


def train(
    run: PreparedRun, method: Method, unfinished: Unfinished | None = None, **settings: Any
) -> Fitted:
    (prepared,) = run.tasks.values()
    settings = {"epochs": EPOCHS, "seed": 5, "by_epoch": True, "progress": Quiet()} | settings
    return fit(
        run.context.base_model,
        method,
        prepared,
        run.context.experiment,
        unfinished=unfinished,
        **settings,
    )


def place(tmp_path: Path, notes: list[str] | None = None, **settings: Any) -> Unfinished:
    note = (notes if notes is not None else []).append
    unfinished = Unfinished(tmp_path / "kept.ckpt", "key", note, **({"every": NEVER} | settings))
    unfinished.open()
    return unfinished


def everything(run: PreparedRun, fitted: Fitted) -> list[Any]:
    """All that a training gives, but for what it took."""
    (prepared,) = run.tasks.values()
    weights = {name: w.detach().clone() for name, w in trained(fitted.classifier).items()}
    answers = predict(fitted.classifier, prepared, prepared.test)
    return [weights, answers, fitted.curve, fitted.micro_batch]


def assert_same(one: list[Any], other: list[Any]) -> None:
    assert one[0].keys() == other[0].keys()
    for name, weights in one[0].items():
        assert torch.equal(weights, other[0][name]), name
    assert torch.equal(one[1], other[1])
    assert one[2:] == other[2:]
