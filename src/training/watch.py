"""A training run as seen from outside: its progress, its curve, and how it may end early."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from lightning.pytorch import Callback, LightningModule, Trainer

from ..progress import Progress

CURVE_POINTS = 25


class DivergedError(RuntimeError):
    """The loss left the finite numbers."""


@dataclass
class Watch(Callback):
    """Tells progress, keeps the curve, and stops a run whose loss is no number."""

    progress: Progress
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    _since: list[float] = field(default_factory=list)
    _part: float = 0.0
    """The loss so far of a batch that comes in parts."""
    _step: int = 0

    __hash__ = Callback.__hash__

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
        loss, step = self._part + float(outputs["loss"].detach()), trainer.global_step
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
            self._since.clear()
        self.progress.step(step, total, loss)
