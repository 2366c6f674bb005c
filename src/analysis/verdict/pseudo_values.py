"""A metric of one cell as a sum over its examples: delete-one (jackknife) pseudo-values.

    pseudo-value of example i = N · metric of all N - (N - 1) · metric without i

For accuracy it is 1 where the answer is right and 0 where it is not; for every other metric it is
what example i adds to the score, to first order (Tukey 1958). So one theory, that of means over
examples, gives standard errors for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...text import one_line
from ..format import listed
from ..metric_range import components
from ..predictions import PROBABILITY, Predictions
from . import confusion, correlations
from .confusion import Metric

Floats = NDArray[np.float64]

CORRELATIONS = {"pearson": correlations.pearson, "spearman": correlations.spearman}


class CannotPair(ValueError):
    """Why answers cannot be compared example by example, as a part of a sentence."""

    def __init__(self, why: str, of_several: str = "") -> None:
        """Say why; `of_several` says the same of several methods at once, where there are words."""
        super().__init__(why)
        self.of_several = of_several


class CannotRank(CannotPair):
    """Why scores may not even stand beside each other: another metric, other rows, altered files.

    A score whose answers are only not stored is still a score.
    """


@dataclass(frozen=True, eq=False)
class PseudoValues:
    """A metric of one cell, and what each example adds to it."""

    score: float
    """The metric of all N examples."""
    values: Floats
    """The pseudo-values, in the order of the test examples (N)."""
    step: float
    """The most that one answer can move N times the score, where answers are classes: the range of
    the pseudo-values. 0 for a metric of numbers, which moves without steps."""


def pseudo_values(metric: str, cell: Predictions) -> PseudoValues:
    """The pseudo-values of a metric, or of a mean of metrics, on one cell's answers.

    Args:
        metric: A score's name, such as "accuracy", "f1:urgent" or "mean(pearson, spearman)".
        cell: The answers of the cell.

    Raises:
        CannotPair: The metric is not one of ours, or the answers are not what it is made for.
    """
    if len(cell.labels) < 2:
        raise CannotPair("it takes two test examples at least")
    each = [_one(name, cell) for name in components(metric)]
    return PseudoValues(
        score=sum(one.score for one in each) / len(each),
        values=sum((one.values for one in each), np.zeros(len(cell.labels))) / len(each),
        step=sum(one.step for one in each) / len(each),
    )


def _one(metric: str, cell: Predictions) -> PseudoValues:
    """The pseudo-values of a single metric."""
    n = len(cell.labels)
    if metric in CORRELATIONS:
        score, without = CORRELATIONS[metric](_numbers(cell.predictions), _numbers(cell.labels))
        return PseudoValues(score, n * score - (n - 1) * without, 0.0)
    classes = _classes(cell)
    computed = _of_classes(metric, classes)
    number = {name: place for place, name in enumerate(classes.names)}
    labels, answers = (
        np.array([number[one] for one in _hashable(side)], dtype=np.intp)
        for side in (cell.labels, cell.predictions)
    )
    score, without = confusion.each_left_out(computed, labels, answers, len(number))
    values = n * score - (n - 1) * without
    return PseudoValues(score, values, float(np.ptp(values)))


class _Classes(NamedTuple):
    """The classes of a cell."""

    names: tuple[Any, ...]
    ordered: bool
    """Whether their order is that of their numbers in the task."""


def _classes(cell: Predictions) -> _Classes:
    """Every class: by the columns of probabilities where there are any, else those that occur."""
    named = [name.removeprefix(PROBABILITY) for name in cell.more if name.startswith(PROBABILITY)]
    seen = {one for side in (cell.labels, cell.predictions) for one in set(_hashable(side))}
    if seen <= {0, 1}:
        return _Classes((0, 1), True)
    more = sorted(seen - set(named), key=repr)
    return _Classes((*named, *more), bool(named) and not more)


def _of_classes(metric: str, classes: _Classes) -> Metric:
    """A metric of classes by name."""
    kind, colon, wanted = metric.partition(":")
    if metric in confusion.METRICS:
        return confusion.METRICS[metric]
    if kind != "f1":
        known = (*confusion.METRICS, "f1", "f1:CLASS", *CORRELATIONS)
        raise CannotPair(
            f"the metric '{one_line(metric)}' is none of {listed(known)}, "
            "and what one example adds to it is not known"
        )
    if not colon and (len(classes.names) != 2 or not classes.ordered):
        raise CannotPair("F1 is that of the second of two classes, which the answers do not name")
    if not colon:
        return confusion.f1_of(1)
    if wanted not in classes.names:
        raise CannotPair(f"no class of the answers is called '{one_line(wanted)}'")
    return confusion.f1_of(classes.names.index(wanted))


def _numbers(values: Sequence[Any]) -> Floats:
    """Finite numbers as an array."""
    plain = all(isinstance(one, Real) and not isinstance(one, bool) for one in values)
    if not plain or not all(map(math.isfinite, values)):
        raise CannotPair("a correlation needs finite numbers as labels and answers")
    return np.array(values, dtype=np.float64)


def _hashable(values: Sequence[Any]) -> Sequence[Any]:
    """Labels or answers themselves, or the text of each where some are lists."""
    try:
        hash(tuple(values))
    except TypeError:
        return [repr(value) for value in values]
    return values
