"""Regression: each text, or pair of texts, has a value.

    loss = (output - (label - center) / spread)^2      answer = center + spread · output

center and spread are the mean and the standard deviation of the training labels, so that the head
learns numbers near zero whatever unit the labels have. Where labels lie so far from zero that fp32
cannot tell them apart, they are standardised in fp64, and center and spread stay outside the head.
Correlations are those of torchmetrics, in double precision.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .base import IDENTITY, Label, Metric, Objective, Question, Scale, Stratum

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any

BINS = 10
"""Strata of a split: bins of equal size, by rank."""


def _pearson(answers: Tensor, labels: Tensor, task: Question) -> Tensor | float:
    from torchmetrics.functional import pearson_corrcoef

    return 0.0 if _any_constant(answers, labels) else pearson_corrcoef(answers, labels)


def _spearman(answers: Tensor, labels: Tensor, task: Question) -> Tensor | float:
    from torchmetrics.functional import spearman_corrcoef

    return 0.0 if _any_constant(answers, labels) else spearman_corrcoef(answers, labels)


def _any_constant(*series: Tensor) -> bool:
    """A constant correlates with nothing: the score is 0, as one would get without a model."""
    return any(bool((values == values[0]).all()) for values in series)


class Regression(Objective):
    """One value."""

    metrics: ClassVar[Mapping[str, Metric]] = {"pearson": _pearson, "spearman": _spearman}
    answer = "a number"
    counts_words = True
    strata_are = "bins"

    def outputs(self, task: Question) -> int:
        """One standardised value."""
        return 1

    def scale(self, labels: Sequence[Label]) -> Scale:
        """Mean and standard deviation of the training labels (1 where all are equal)."""
        return Scale(statistics.fmean(labels), statistics.pstdev(labels) or 1.0)

    def targets(self, labels: Sequence[Label], scale: Scale = IDENTITY) -> Tensor:
        """Standardised values in fp32 (b)."""
        import torch

        dtype = torch.float32 if scale.fits_single else torch.float64
        return ((torch.tensor(labels, dtype=dtype) - scale.center) / scale.spread).float()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error of standardised values."""
        import torch
        from torch.nn import functional as F

        dtype = torch.promote_types(outputs.dtype, targets.dtype)
        return F.mse_loss(outputs[:, 0].to(dtype), targets.to(dtype))

    def predictions(self, outputs: Tensor, scale: Scale = IDENTITY) -> Tensor:
        """Values on the labels' own scale (b 1)."""
        values = outputs if scale.fits_single else outputs.double()
        return values * scale.spread + scale.center

    def answers(self, predictions: Tensor) -> list[Label]:
        """The values themselves."""
        values: list[Label] = predictions[:, 0].tolist()
        return values

    def columns(
        self, task: Question, labels: Sequence[Label], predictions: Tensor
    ) -> dict[str, list[Any]]:
        """The true and the predicted value."""
        return {"label": list(labels), "prediction": self.answers(predictions)}

    def score(
        self, task: Question, answers: Sequence[Label], labels: Sequence[Label]
    ) -> dict[str, float]:
        """Every metric that the task names.

        Raises:
            ValueError: The counts differ, nothing is there, or an answer is not finite.
        """
        if not all(math.isfinite(value) for value in answers):
            raise ValueError("predictions must be finite numbers")
        return super().score(task, answers, labels)

    def comparable(self, labels: Sequence[Label]) -> Tensor:
        """Values in fp64."""
        import torch

        return torch.tensor(labels, dtype=torch.float64)

    def strata(self, task: Question, ids: Sequence[str], labels: Sequence[Label]) -> list[Stratum]:
        """Bins of equal size by rank; equal values are ranked by the rows' ids."""
        count = len(labels)
        ranked = sorted(range(count), key=lambda row: (labels[row], ids[row]))
        bins = max(1, min(BINS, count // 2))
        return [
            Stratum(f"bin {k + 1}", ranked[count * k // bins : count * (k + 1) // bins])
            for k in range(bins)
        ]

    def majority(self, labels: Sequence[Label]) -> Label:
        """The mean."""
        return sum(labels) / len(labels)

    def linear_model(self, task: Question) -> Any:
        """Ridge regression with the penalty 1/2 |w|^2."""
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1.0, tol=1e-10)

    def compares_pairs(self, task: Question) -> bool:
        """How alike two texts are: their embeddings' cosine says it untrained."""
        return len(task.text) == 2


OBJECTIVE = Regression
