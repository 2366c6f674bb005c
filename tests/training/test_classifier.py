"""The LightningModule as Lightning's users expect it: fit, validate, test and predict."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import nn
from tunebench.training.classifier import Classifier, lr_factor

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
def test_validation_logs_the_mean_loss_over_the_examples(batch: Any) -> None:
    model = classifier()
    (logged,) = trainer().validate(
        model, tiny.Loader(batch, tiny.batch((9, 9), seed=3)), verbose=False
    )
    batches = (batch, tiny.batch((9, 9), seed=3))
    losses = [float(model.eval().training_step(one).detach()) for one in batches]
    first = 2 if batch is PADDED else 4
    assert logged == {
        "val_loss": pytest.approx((losses[0] * first + losses[1] * 2) / (first + 2), rel=1e-5)
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
