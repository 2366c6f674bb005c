"""A training run as seen from outside: its progress, its curve, and how it may end early."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ..progress import Progress

CURVE_POINTS = 25
Judge = Callable[[], float]
"""Gives the validation score of the classifier as it is now; draws no random number."""


class DivergedError(RuntimeError):
    """The loss left the finite numbers."""


@dataclass
class Watch(Callback):
    """Tells progress, keeps the curve, and stops a run whose loss is no number."""

    progress: Progress
    clock: Callable[[], float] = time.perf_counter
    """Gives seconds of training, of which a process before may have had some."""
    before: float = 0.0
    """Seconds that count although they came before the first step, such as reading texts once."""
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """From the first step until each of these."""
    _begin: float = 0.0
    _since: list[float] = field(default_factory=list)
    _part: float = 0.0
    """The loss so far of a batch that comes in parts."""
    _step: int = 0

    __hash__ = Callback.__hash__

    def state_dict(self) -> dict[str, Any]:
        """The curve so far, between two optimizer steps."""
        return {
            "steps": [*self.steps],
            "losses": [*self.losses],
            "seconds": [*self.seconds],
            "before": self.elapsed(),
            "since": [*self._since],
            "step": self._step,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with a curve."""
        self.steps, self.losses = state_dict["steps"], state_dict["losses"]
        self._since, self._step = state_dict["since"], state_dict["step"]
        self.seconds, self.before = state_dict["seconds"], state_dict["before"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on the seconds of the steps count."""
        self._begin = self.clock() - self.before

    def elapsed(self) -> float:
        """Seconds since the first step."""
        return self.clock() - self._begin

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """After each optimizer step; the parts of a batch add up to its loss."""
        assert isinstance(outputs, dict)
        # Each process has the loss of its share, weighted so that their mean is the batch's.
        share = trainer.strategy.reduce(outputs["loss"].detach().clone(), reduce_op="mean")
        loss, step = self._part + float(share), trainer.global_step
        if not math.isfinite(loss):
            raise DivergedError(f"the loss became {loss} at step {step}")
        if step == self._step:
            self._part = loss
            return
        self._part, self._step = 0.0, step
        total = int(trainer.estimated_stepping_batches)
        self._since.append(loss)
        if step % max(1, total // CURVE_POINTS) == 0 or step == total:
            self.steps.append(step)
            self.losses.append(sum(self._since) / len(self._since))
            self.seconds.append(self.elapsed())
            self._since.clear()
        self.progress.step(step, total, loss)


@dataclass
class EpochScores(Callback):
    """The validation score at the end of each epoch but the last, which is judged as ever.

    It changes nothing of the training: no random number is drawn, and modes are put back.
    """

    judge: Judge
    elapsed: Callable[[], float] = time.perf_counter
    """Gives seconds since the first step, these judgements not counted."""
    steps: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    reached: list[float] = field(default_factory=list)
    """Seconds since the first step, at each score."""
    seconds: float = 0.0
    """What it took in all."""

    __hash__ = Callback.__hash__

    def state_dict(self) -> dict[str, Any]:
        """The scores so far."""
        return {
            "steps": [*self.steps],
            "scores": [*self.scores],
            "reached": [*self.reached],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these scores; `seconds` are those of this process alone."""
        self.steps, self.scores = state_dict["steps"], state_dict["scores"]
        self.reached = state_dict["reached"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Judge the classifier, unless training is over; one process does, the others wait."""
        is_over = trainer.global_step >= int(trainer.estimated_stepping_batches)
        if is_over or not trainer.is_global_zero:
            return
        begin, elapsed = time.perf_counter(), self.elapsed()
        modes = [(module, module.training) for module in pl_module.modules()]
        try:
            self.scores.append(self.judge())
            self.steps.append(trainer.global_step)
            self.reached.append(elapsed)
        except DivergedError:
            pass  # the run itself says so, if it does not recover
        for module, mode in modes:
            module.training = mode
        self.seconds += time.perf_counter() - begin
