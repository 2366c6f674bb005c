"""Metrics of classes from the counts of a confusion matrix, for many matrices at once.

Every one of them depends on three counts a class: hits (label and answer agree), labels and
answers. So a metric without example i is known from its label and answer, and all examples with
the same two share it. Definitions are those of `objectives/classification.py`, where a share of
nothing is 0 and a coefficient of a constant is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counts:
    """What metrics read of confusion matrices, the last axis over the k classes."""

    hits: Floats
    """Examples of the class that are answered with it (... k)."""
    labels: Floats
    """Examples of the class (... k)."""
    answers: Floats
    """Answers of the class (... k)."""

    def without_one(self, label: NDArray[np.intp], answer: NDArray[np.intp]) -> Counts:
        """The counts (p k) after one example of each given label and answer (p) is left out."""
        places, hit = np.arange(label.size), label == answer
        hits, labels, answers = (
            np.repeat(counts[None], label.size, axis=0)
            for counts in (self.hits, self.labels, self.answers)
        )
        hits[places[hit], label[hit]] -= 1
        labels[places, label] -= 1
        answers[places, answer] -= 1
        return Counts(hits, labels, answers)


Metric = Callable[[Counts], Floats]
"""Counts (... k) → the metric (...)."""


def accuracy(counts: Counts) -> Floats:
    """The share of examples that are answered with their label."""
    return share(counts.hits.sum(-1), counts.labels.sum(-1))


def balanced_accuracy(counts: Counts) -> Floats:
    """The mean recall of the classes that occur among the labels."""
    recalls = share(counts.hits, counts.labels)
    return share(recalls.sum(-1), (counts.labels > 0).sum(-1))


def macro_f1(counts: Counts) -> Floats:
    """The mean F1 of the classes that occur among labels or answers."""
    each = share(2 * counts.hits, counts.labels + counts.answers)
    return share(each.sum(-1), (counts.labels + counts.answers > 0).sum(-1))


def mcc(counts: Counts) -> Floats:
    """Matthews' correlation coefficient (Gorodkin 2004 for more than two classes)."""
    total = counts.labels.sum(-1)
    agreement = counts.hits.sum(-1) * total - (counts.labels * counts.answers).sum(-1)
    spread = (total**2 - (counts.labels**2).sum(-1)) * (total**2 - (counts.answers**2).sum(-1))
    return share(agreement, np.sqrt(spread))


def f1_of(number: int) -> Metric:
    """F1 of one class against all others."""

    def f1(counts: Counts) -> Floats:
        together = counts.labels[..., number] + counts.answers[..., number]
        return share(2 * counts.hits[..., number], together)

    return f1


def share(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Quotients; 0 where the whole is 0."""
    above, below = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    quotient: Floats = np.divide(above, below, out=np.zeros_like(above), where=below != 0)
    return quotient


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
}
"""Metrics that treat all classes alike; F1 of one class needs to know which."""


def counted(labels: NDArray[np.intp], answers: NDArray[np.intp], classes: int) -> Counts:
    """The counts of labels and answers (n), which are numbers of so many classes."""
    hits = labels[labels == answers]
    three = (np.bincount(of, minlength=classes).astype(float) for of in (hits, labels, answers))
    return Counts(*three)


def each_left_out(
    metric: Metric, labels: NDArray[np.intp], answers: NDArray[np.intp], classes: int
) -> tuple[float, Floats]:
    """A metric of n examples, and what it is without each of them (n).

    Args:
        metric: What is computed of counts.
        labels: Class numbers (n).
        answers: Class numbers (n).
        classes: How many classes there are.
    """
    counts = counted(labels, answers, classes)
    kinds, kind = np.unique(labels * classes + answers, return_inverse=True)
    reduced = counts.without_one(kinds // classes, kinds % classes)
    return float(metric(counts)), metric(reduced)[kind]
