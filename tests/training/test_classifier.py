"""The LightningModule as Lightning's users expect it: fit, validate, test and predict."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import nn
from tunebench.config import BackboneSettings, TrainSettings
from tunebench.data.text.batches import Batches
from tunebench.data.text.tokens import Encoded
from tunebench.errors import UserError
from tunebench.progress import Quiet
from tunebench.training.classifier import Classifier, lr_factor
from tunebench.training.watch import Watch

from tests import tiny

PADDED = {
    "input_ids": torch.tensor([[11, 12, 13], [14, 15, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    "labels": torch.tensor([0, 1]),
}


def trainer(**settings: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


def classifier(**settings: Any) -> Classifier:
    made = Classifier(tiny.backbone(tiny.ENCODER), lr=1e-3, head_dropout=0.0, **settings)
    nn.init.normal_(made.head.weight)
    return made


@pytest.mark.parametrize("batch", [tiny.batch(), PADDED], ids=["packed", "padded"])
@pytest.mark.parametrize(("step", "name"), [("validate", "val_loss"), ("test", "test_loss")])
def test_validation_and_test_log_the_mean_loss_over_the_examples(
    batch: Any, step: str, name: str
) -> None:
    model = classifier()
    (logged,) = getattr(trainer(), step)(
        model, tiny.Loader(batch, tiny.batch((9, 9), seed=3)), verbose=False
    )
    batches = (batch, tiny.batch((9, 9), seed=3))
    losses = [float(model.eval().training_step(one).detach()) for one in batches]
    first = 2 if batch is PADDED else 4
    assert logged == {
        name: pytest.approx((losses[0] * first + losses[1] * 2) / (first + 2), rel=1e-5)
    }


def test_fitting_with_a_validation_loader_validates_every_epoch() -> None:
    model, run = classifier(), trainer(max_epochs=2, num_sanity_val_steps=0)
    run.fit(model, tiny.Loader(tiny.batch()), tiny.Loader(tiny.batch(seed=1)))
    expected = float(model.eval().training_step(tiny.batch(seed=1)).detach())
    assert float(run.callback_metrics["val_loss"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch", [tiny.batch(), PADDED], ids=["packed", "padded"])
def test_predict_gives_probabilities_by_batch(batch: Any) -> None:
    model = classifier(outputs=3)
    (predictions,) = trainer().predict(model, tiny.Loader(batch)) or []
    assert isinstance(predictions, torch.Tensor)
    expected = model.eval().outputs(batch).softmax(-1).detach()
    torch.testing.assert_close(predictions, expected)
    torch.testing.assert_close(predictions.sum(-1), torch.ones(len(predictions)))


def test_predict_gives_the_values_of_a_regression() -> None:
    model = classifier(objective="regression", outputs=1)
    (predictions,) = trainer().predict(model, tiny.Loader(tiny.batch())) or []
    assert isinstance(predictions, torch.Tensor)
    torch.testing.assert_close(predictions, model.eval().outputs(tiny.batch()).detach())


def test_the_rate_rises_over_the_warm_up_and_falls_to_zero() -> None:
    factors = [lr_factor(step, 100, 0.1) for step in range(101)]
    assert factors[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert factors[9] == factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == 0.0


def test_vectors_do_not_decay_and_matrices_do() -> None:
    model = classifier(weight_decay=0.5, head_lr=0.25)
    model.trainer = type("Run", (), {"estimated_stepping_batches": 10, "precision": "32-true"})()
    groups = model.configure_optimizers()["optimizer"].param_groups
    decays = {id(p): g["weight_decay"] for g in groups for p in g["params"]}
    rates = {id(p): g["initial_lr"] for g in groups for p in g["params"]}
    for name, parameter in model.named_parameters():
        assert decays[id(parameter)] == (0.5 if parameter.ndim > 1 else 0.0), name
        assert rates[id(parameter)] == (0.25 if name.startswith("head.") else 1e-3), name


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
@pytest.mark.parametrize("count_padding", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_batch_is_read_as_the_backbone_reads_it(
    pooling: Any, count_padding: bool, side: str
) -> None:
    cfg = dataclasses.replace(tiny.ENCODER, count_padding=count_padding)
    model = Classifier(tiny.backbone(cfg), pooling=pooling, outputs=3).eval()
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
    mask = mask.flip(1) if side == "left" else mask
    ids, segments = torch.randint(10, 50, mask.shape), torch.randint(0, 2, mask.shape)
    states = model.backbone(ids, mask, segments)
    rows = [row[real == 1] for row, real in zip(states, mask, strict=True)]
    pooled = {"mean": lambda row: row.mean(0), "first": lambda row: row[0]}
    wanted = torch.stack([pooled.get(pooling, lambda row: row[-1])(row) for row in rows])
    assert torch.allclose(model(ids, mask, segments), model.head(wanted), rtol=0, atol=1e-5)


def test_padding_changes_nothing_where_tokens_alone_are_numbered() -> None:
    cfg = dataclasses.replace(tiny.ENCODER, count_padding=False)
    model, ids = Classifier(tiny.backbone(cfg), pooling="last").eval(), torch.arange(10, 16)[None]
    padded = torch.cat([torch.ones(1, 4, dtype=torch.int64), ids], 1)
    mask = torch.tensor([[0] * 4 + [1] * 6])
    assert torch.allclose(model(padded, mask), model(ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_a_row_without_a_token_is_refused(pooling: Any) -> None:
    mask = torch.tensor([[1, 1], [0, 0]])
    with pytest.raises(UserError, match=r"must have a token, but row 1 of 2 \(from 0\) has none"):
        classifier(pooling=pooling)(torch.full((2, 2), 11), mask)


class Gradients(Callback):
    """Keeps the gradients of the head, as every optimizer step sees them, and undoes nothing."""

    def __init__(self) -> None:
        self.kept: list[torch.Tensor] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        parts = [p.grad.flatten() for p in pl_module.parameters() if p.grad is not None]
        self.kept.append(torch.cat(parts).clone())


ROWS = Encoded(
    ids=tuple(tuple(range(5, 6 + n)) for n in (3, 9, 1, 4, 2, 8, 5, 7, 6, 3, 2)),
    segments=tuple((0,) * (n + 1) for n in (3, 9, 1, 4, 2, 8, 5, 7, 6, 3, 2)),
    truncated=0,
)
"""Eleven rows of unequal length: a batch of eight, and a short one of three."""


def gradients(micro_batch: int | None) -> tuple[list[torch.Tensor], list[float]]:
    """Every optimizer step's gradients over two epochs, and the curve."""
    torch.manual_seed(0)
    labels = torch.tensor([n % 2 for n in range(11)])
    rows = Batches(
        ROWS,
        lambda numbers: labels[list(numbers)],
        batch_size=8,
        shuffle_seed=3,
        micro_batch=micro_batch,
    )
    kept, watch = Gradients(), Watch(Quiet())
    run = trainer(max_epochs=2, accumulate_grad_batches=rows.accumulate, callbacks=[kept, watch])
    run.fit(classifier(), rows)
    assert len(rows) == sum(1 for _ in rows)
    assert watch.steps == [1, 2, 3, 4]
    return kept.kept, watch.losses


@pytest.mark.parametrize("micro_batch", [4, 3, 2, 1])
def test_a_batch_in_parts_makes_the_same_optimizer_steps(micro_batch: int) -> None:
    whole, losses = gradients(None)
    parts, losses_in_parts = gradients(micro_batch)
    assert len(whole) == len(parts) == 4
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)
    assert losses_in_parts == pytest.approx(losses, rel=1e-4)


def test_a_part_alone_is_a_batch_of_its_own_loss() -> None:
    model, one = classifier().eval(), tiny.batch()
    half = replace(one, weight=0.5)
    with torch.no_grad():
        assert float(model.training_step(half)) == pytest.approx(float(model.mean_loss(one)) / 2)
        assert float(model.mean_loss(half)) == float(model.mean_loss(one))


def test_what_is_not_said_is_what_an_experiment_has() -> None:
    defaults = {n: p.default for n, p in inspect.signature(Classifier).parameters.items()}
    assert {n: defaults[n] for n in ("head_dropout", "warmup", "weight_decay")} == {
        n: getattr(TrainSettings(), n) for n in ("head_dropout", "warmup", "weight_decay")
    }
    assert defaults["pooling"] == BackboneSettings().pooling
