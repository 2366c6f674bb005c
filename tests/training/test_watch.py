"""The curve of a run: each of its points is the mean of the losses since the one before."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from tunebench.progress import Quiet
from tunebench.training.watch import CURVE_POINTS, DivergedError, Watch


def watched(losses, total):
    """What is kept of a run with these losses, one for each optimizer step."""
    watch = Watch(Quiet())
    for step, loss in enumerate(losses, start=1):
        trainer = Mock(spec=Trainer, global_step=step, estimated_stepping_batches=total)
        outputs = {"loss": torch.tensor(loss, dtype=torch.float64)}
        watch.on_train_batch_end(trainer, Mock(spec=LightningModule), outputs, None, step)
    return watch


def test_a_point_is_the_mean_since_the_one_before():
    losses = np.random.default_rng(0).random(4 * CURVE_POINTS)
    watch = watched(losses, len(losses))
    assert watch.steps == list(range(4, len(losses) + 1, 4))
    assert watch.losses == pytest.approx(losses.reshape(-1, 4).mean(1), abs=1e-12)


def test_the_last_steps_have_a_point_too():
    losses = np.random.default_rng(0).random(2 * CURVE_POINTS + 3)
    watch = watched(losses, len(losses))
    assert watch.steps[-2:] == [2 * CURVE_POINTS + 2, 2 * CURVE_POINTS + 3]
    assert watch.losses[-1] == pytest.approx(losses[-1], abs=1e-12)
    assert watch.losses[-2] == pytest.approx(losses[-3:-1].mean(), abs=1e-12)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_at_its_step(loss):
    with pytest.raises(DivergedError, match=f"the loss became {loss} at step 2"):
        watched([1.0, loss, 1.0], 3)
