"""GLUE's metrics by torchmetrics: what a task's score is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torchmetrics.functional import matthews_corrcoef, pearson_corrcoef, spearman_corrcoef
from torchmetrics.functional.classification import binary_f1_score

from ..data.tasks import Task

Measure = Callable[[Tensor, Tensor, int], Tensor]
"""Predictions, labels and the number of classes → one number."""


def _accuracy(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    return (predictions == labels).double().mean()


def _f1(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    return binary_f1_score(predictions, labels)


def _mcc(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    # 0/0 where either is constant: GLUE's own scorer takes 0, torchmetrics something else.
    if _constant(predictions) or _constant(labels):
        return torch.zeros(())
    return matthews_corrcoef(predictions, labels, task="multiclass", num_classes=classes)


def _pearson(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    return _correlation(pearson_corrcoef, predictions, labels)


def _spearman(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    return _correlation(spearman_corrcoef, predictions, labels)


def _correlation(
    measure: Callable[[Tensor, Tensor], Tensor], predictions: Tensor, labels: Tensor
) -> Tensor:
    """A constant correlates with nothing: 0, as one would guess without a model."""
    if _constant(predictions) or _constant(labels):
        return torch.zeros(())
    return measure(predictions.double(), labels.double())


def _constant(values: Tensor) -> bool:
    return bool((values == values[0]).all())


METRICS: Mapping[str, Measure] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "mcc": _mcc,
    "pearson": _pearson,
    "spearman": _spearman,
}


def score(task: Task, predictions: Sequence[float], labels: Sequence[float]) -> dict[str, float]:
    """Every metric of a task by name, and always `accuracy` where there are classes.

    Args:
        task: Says which metrics; its score is their mean (`mean_score`).
        predictions: Class numbers, or values of a regression.
        labels: The truth, as many.

    Raises:
        ValueError: Where the counts differ, nothing is there or a prediction is not finite.
    """
    if len(predictions) != len(labels) or not labels:
        raise ValueError(f"as many predictions as labels: got {len(predictions)} and {len(labels)}")
    if not all(math.isfinite(value) for value in predictions):
        raise ValueError("predictions must be finite numbers")
    kind = torch.float64 if task.regression else torch.int64
    p, y = torch.tensor(predictions, dtype=kind), torch.tensor(labels, dtype=kind)
    names = task.metrics if task.regression else dict.fromkeys((*task.metrics, "accuracy"))
    return {name: float(METRICS[name](p, y, task.outputs)) for name in names}


def mean_score(task: Task, metrics: Mapping[str, float]) -> float:
    """The task's own score: the mean of its metrics."""
    return sum(metrics[name] for name in task.metrics) / len(task.metrics)


def metric_name(task: Task) -> str:
    """What the score is called in tables."""
    return task.metrics[0] if len(task.metrics) == 1 else f"mean({', '.join(task.metrics)})"
