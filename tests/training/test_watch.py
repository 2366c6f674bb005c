"""The curve of a run: each of its points is the mean of the losses since the one before."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from tunebench.progress import Quiet
from tunebench.training.device import quiet_lightning
from tunebench.training.watch import CURVE_POINTS, DivergedError, EpochScores, Watch


def watched(losses, total):
    """What is kept of a run with these losses, one for each optimizer step."""
    watch = Watch(Quiet())
    for step, loss in enumerate(losses, start=1):
        strategy = Mock(reduce=lambda tensor, **_: tensor)
        trainer = Mock(
            spec=Trainer, global_step=step, estimated_stepping_batches=total, strategy=strategy
        )
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


class Toy(LightningModule):
    """A linear map with dropout, part of it kept in evaluation mode; every step draws a number."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head, self.kept = torch.nn.Linear(3, 1), torch.nn.Dropout(0.5)
        self.drawn = []

    def on_train_start(self):
        self.kept.eval()

    def training_step(self, batch, batch_idx):
        self.drawn.append((torch.rand(()).item(), self.kept.training, self.head.training))
        return self.head(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained_toy(judge=None):
    toy, scores = Toy(), EpochScores(lambda: judge(toy))
    torch.manual_seed(1)
    data = torch.utils.data.DataLoader(torch.arange(24.0).reshape(8, 3) / 24, batch_size=4)
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    callbacks = [] if judge is None else [scores]
    with quiet_lightning():
        trainer = Trainer(max_epochs=3, accelerator="cpu", callbacks=callbacks, **quiet)
        trainer.fit(toy, data)
    return toy, scores


def test_scores_by_epoch_are_those_of_the_classifier_then_and_change_nothing():
    seen = []

    def judge(toy):
        toy.eval()
        seen.append(toy.head.weight.detach().clone())
        return float(toy.head.weight.detach().sum())

    plain, _ = trained_toy()
    judged, scores = trained_toy(judge)
    assert scores.steps == [2, 4], "the last epoch is judged when training is over"
    assert scores.scores == [float(weight.sum()) for weight in seen]
    assert torch.equal(plain.head.weight, judged.head.weight)
    assert plain.drawn == judged.drawn, "neither random numbers nor modes"


def test_an_epoch_that_cannot_be_judged_has_no_point():
    def judge(toy):
        if not scores:
            scores.append(1.0)
            raise DivergedError("predictions are not finite")
        return 0.5

    scores = []
    _, kept = trained_toy(judge)
    assert (kept.steps, kept.scores) == ([4], [0.5])
