"""Results by data size: each method's score against the number of its training examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ..metric_range import clipped
from ..verdict.crossed import crossed
from ..verdict.pseudo_values import CannotPair
from .evidence import Arm, Condition, Evidence

Item = TypeVar("Item")


@dataclass(frozen=True)
class AtSize:
    """A method's runs with so many training examples."""

    examples: int
    """Validation included: a winner trains on both."""
    epochs: int
    score: float
    """The mean over the seeds."""
    low: float | None
    """The lower end of its 95 % interval over seeds and test examples; none with one seed, or
    where the answers cannot be used."""
    high: float | None
    seeds: int
    runs: tuple[str, ...]


@dataclass(frozen=True)
class SizeCurve:
    """One method on one task, as it comes, with two sizes of the training data at least."""

    task: str
    method: str
    metric: str
    protocol: str
    """What all its points share; curves of one task and protocol may be set side by side."""
    points: tuple[AtSize, ...]
    """The fewest examples first."""


def longest_by_size(
    items: Iterable[Item], condition: Callable[[Item], Condition]
) -> dict[int, Item]:
    """Training examples → what was trained on so many, for the most epochs; the fewest first.

    Few examples take more epochs, so that one number of epochs for all sizes would be none's own.
    """
    ordered = sorted(items, key=lambda one: condition(one).epochs)
    last = {condition(one).examples: one for one in ordered}
    return {size: last[size] for size in sorted(last)}


def size_curves(evidence: Evidence) -> tuple[SizeCurve, ...]:
    """Every method that ran with several sizes, tasks and methods in the order of the runs."""
    tasks = tuple(dict.fromkeys(arm.condition.task for arm in evidence.arms))
    curves = []
    for method in dict.fromkeys(arm.method for arm in evidence.arms):
        for arms in evidence.by(_but_for_size, method):
            sizes = longest_by_size(arms, lambda arm: arm.condition)
            metrics = {arm.first.metric for arm in sizes.values()}
            if len(sizes) > 1 and len(metrics) == 1:
                condition, (metric,) = arms[0].condition, metrics
                points = tuple(_at_size(arm) for arm in sizes.values())
                curves.append(SizeCurve(condition.task, method, metric, condition.protocol, points))
    return tuple(sorted(curves, key=lambda one: tasks.index(one.task)))


def _but_for_size(arm: Arm) -> tuple[str, str]:
    return arm.condition.task, arm.condition.protocol


def _at_size(arm: Arm) -> AtSize:
    """A method's score with its interval, which ends where the metric does."""
    scores = [cell.result.score or 0.0 for cell in arm.cells]
    low, high = interval(arm) or (None, None)
    return AtSize(
        examples=arm.condition.examples,
        epochs=arm.condition.epochs,
        score=sum(scores) / len(scores),
        low=low,
        high=high,
        seeds=len(scores),
        runs=arm.runs,
    )


def interval(arm: Arm) -> tuple[float, float] | None:
    """The 95 % interval of a method's score over seeds and test examples; none where there is none.

    It is that of the distance to 1, the score of answers that are all right: so an interval is not
    empty where the answers are right on every seed, but as wide as for errors that were not seen.
    """
    try:
        scored = arm.scored
    except CannotPair:
        return None
    if len(scored.seeds) < 2:
        return None
    score = sum(scored.scores) / len(scored.scores)
    # Answers that are all right show no step that one could make; it is that of one right answer.
    step = 1.0 if (scored.values == 1).all() else scored.step
    low, high = crossed(1 - scored.values, 1 - score, step).interval()
    return clipped(1 - high, 1 - low, scored.metric)
