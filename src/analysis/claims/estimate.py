"""What a claim rests on: a figure with its interval, and the runs that it comes from.

Three kinds. A *count* is exact. A *mean* is that of repeated measurements, with Student's t. A
*contrast* is a weighted sum of scores, such as the difference of two differences, with the error of
seeds × test examples that the verdict on two methods has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..format import listed
from ..verdict.crossed import Crossed, crossed
from ..verdict.matching import matched
from ..verdict.pseudo_values import CannotPair
from ..verdict.settle import Question, rounded_up, settlement
from .evidence import Arm

Unit = Literal["score", "share", "times", "number"]
"""How a figure is read: on the scale of the score, as percent, as a factor, or as it is."""


@dataclass(frozen=True)
class Count:
    """A figure that is counted or computed, and has no error."""

    figure: float
    runs: tuple[str, ...]

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The figure itself."""
        return self.figure, self.figure

    def to_settle(self, bound: float) -> str:
        """Nothing is open."""
        return ""


@dataclass(frozen=True)
class Mean:
    """The mean of repeated measurements."""

    values: tuple[float, ...]
    runs: tuple[str, ...]

    @property
    def figure(self) -> float:
        """The mean."""
        return sum(self.values) / len(self.values)

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """By Student's t with one degree of freedom less than values; none of a single value."""
        from scipy.special import stdtrit

        n = len(self.values)
        if n < 2:
            return None
        spread = math.sqrt(sum((value - self.figure) ** 2 for value in self.values) / (n - 1))
        half = float(stdtrit(n - 1, 1 - (1 - confidence) / 2)) * spread / math.sqrt(n)
        return self.figure - half, self.figure + half

    def to_settle(self, bound: float) -> str:
        """More of the same."""
        count = len(self.values)
        there = "there is one" if count == 1 else f"there are {count}"
        return f"More measurements would decide it ({there})."


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of methods' scores."""

    crossed: Crossed
    runs: tuple[str, ...]

    @property
    def figure(self) -> float:
        """The same sum of the mean scores."""
        return self.crossed.difference

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """From seeds and test examples; none of one seed, which says nothing of another."""
        return None if self.crossed.seeds == 1 else self.crossed.interval(confidence)

    def to_settle(self, bound: float) -> str:
        """So many seeds, or test examples where no number of seeds would do."""
        if self.crossed.seeds == 1:
            return "One seed cannot say how much another would differ: run 3 at least."
        shifted = replace(self.crossed, difference=self.figure - bound)
        # Without a margin there is one goal: to show on which side of the bound the figure lies.
        answer = settlement(Question(shifted, 0.0, 0.05, 0.05, None))
        if answer.seeds is not None:
            return f"{answer.seeds} seeds would decide it, if the figure is what it looks like."
        if answer.examples is not None:
            seeds = self.crossed.seeds + answer.more_seeds
            return (
                f"No number of seeds would decide it on {self.crossed.examples:,} test examples; "
                f"about {rounded_up(answer.examples):,} with {seeds} seeds would."
            )
        return "The figure is too near to the bound for any number of seeds or examples."


Estimate = Count | Mean | Contrast


def contrast(*terms: tuple[float, Arm]) -> Contrast:
    """A weighted sum of the scores of some arms, over the seeds that all of them have.

    With weights 1 and -1 it is the difference of two methods; with 1, -1, -1 and 1 that of two
    differences.

    Raises:
        CannotPair: Answers are missing or altered, the test sets differ, or no seed is shared.
    """
    each = [arm.scored for _, arm in terms]
    for one in each[1:]:
        matched(each[0], one)
    seeds = [seed for seed in each[0].seeds if all(seed in one.seeds for one in each)]
    if not seeds:
        names = listed([arm.name for _, arm in terms])
        raise CannotPair(f"{names} have no complete seed in common")
    same = [one.at(seeds) for one in each]
    weights = [weight for weight, _ in terms]
    values = sum(
        (weight * one.values for weight, one in zip(weights, same, strict=True)),
        np.zeros_like(same[0].values),
    )
    figure = sum(
        weight * sum(one.scores) / len(seeds) for weight, one in zip(weights, same, strict=True)
    )
    # A pair's weights are 1 and -1, and its step is the larger one of the two.
    step = sum(map(abs, weights)) / 2 * max(one.step for one in same)
    runs = tuple(
        cell.result.cell for _, arm in terms for cell in arm.cells if cell.result.seed in seeds
    )
    return Contrast(crossed(values, figure, step), runs)


def count(figure: float, cells: Sequence[str]) -> Count:
    """An exact figure."""
    return Count(float(figure), tuple(dict.fromkeys(cells)))
