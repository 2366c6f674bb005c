"""Seeds crossed with test examples: how far a mean difference can be trusted.

The difference of two methods at seed s on example i is

    d[s, i] = mu + a_s + b_i + e_si,

with a_s a seed's own difference, b_i an example's, and e_si what is left. With S seeds and N
examples, three mean squares estimate three variances (Searle, Casella & McCulloch 1992, ch. 4):

    E MS_a = N var_a + var_e      E MS_b = S var_b + var_e      E MS_e = var_e
    Var(mean) = (var_a / S + var_e / (S N)) + var_b / N
              = E MS_a / (S N) + (E MS_b - E MS_e) / (S N)

The variance is estimated by these mean squares, without bias but that the examples' part is not let
below 0. The error is a sum of two parts (`two_parts`): that of the seeds, Student's t with S - 1
degrees of freedom, and that of the examples, with N - 1.

This form was chosen by coverage (`tests/analysis/verdict/test_coverage.py`): 2,000 studies each of
24 designs (seed effects of none to 7 points, differences by example or by chance, with and without
a difference between the methods). The range over the designs of what 95 % intervals cover, beside
one t with Satterthwaite's degrees of freedom for the unbiased variance, for one of which no
component is negative, and for MS_a + MS_b alone:

    seeds × examples      two parts       unbiased        truncated       MS_a + MS_b
    3 × 277               0.950 0.976     0.919 0.950     0.924 1.000     0.924 0.990
    3 × 872               0.948 0.978     0.912 0.954     0.914 1.000     0.920 0.989
    5 × 872               0.947 0.967     0.942 0.962     0.943 0.997     0.946 0.997
    5 × 1,043             0.949 0.974     0.946 0.963     0.946 0.996     0.947 0.992
    5 × 1,043, MCC        0.952 0.970     0.942 0.962     0.947 0.996     0.948 0.994

What decides is the tails: eight equal methods at Holm's level for 28 pairs (400 studies each) are
told apart by Satterthwaite's t in up to 36 % of the studies with 3 seeds and in up to 17 % with 5.
It takes seeds that agree by chance for proof, when there are two degrees of freedom to see it by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .two_parts import NORMAL, Parts, quantile, upper

Floats = NDArray[np.float64]


class MeanSquares(NamedTuple):
    """Mean squares of d (... S N), each of the shape of the leading axes."""

    seeds: Floats
    examples: Floats
    rest: Floats


@dataclass(frozen=True)
class Components:
    """Estimated variances of one example's difference; none is negative."""

    seeds: float
    """var_a."""
    examples: float
    """var_b."""
    rest: float
    """var_e; with one seed, that of examples and rest together, and the others are 0."""


@dataclass(frozen=True)
class Crossed:
    """A mean difference with what is known of its error."""

    difference: float
    """The center of the interval: the difference of the plain scores."""
    parts: Parts
    """The error: first that of the seeds, then that of the examples."""
    components: Components
    seeds: int
    examples: int

    @property
    def standard_error(self) -> float:
        """The standard error of the difference."""
        return self.parts.standard_error

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The confidence interval of the difference."""
        half = quantile((1 - confidence) / 2, self.parts)
        return self.difference - half, self.difference + half

    def p(self) -> float:
        """The two-sided p-value of no difference."""
        return min(1.0, 2 * upper(abs(self.difference), self.parts))

    def p_equivalence(self, margin: float, step: float = 0.0) -> float:
        """The p-value of two one-sided tests that the difference lies within ± margin.

        Args:
            margin: What counts as no difference, above 0.
            step: The most that one example can move N times the difference; see `least_error`.
        """
        parts, less = guarded(self.parts, margin, step, self.examples)
        return upper(margin - abs(self.difference) - less, parts)


def guarded(parts: Parts, margin: float, step: float, examples: int) -> tuple[Parts, float]:
    """The error that equivalence is tested with, and what is taken off the distance to the margin.

    Where the error is below the least one, few answers differ, and their number is a count and no
    bell: the least error replaces it, and half a step is taken off, as for a binomial share.
    """
    least = least_error(margin, step, examples)
    if parts.standard_error >= least:
        return parts, 0.0
    return Parts(0.0, parts.first_degrees, least**2, NORMAL), step / (2 * examples)


def least_error(margin: float, step: float, examples: int) -> float:
    """The least standard error with which a difference as large as the margin can be observed.

    Answers are right or wrong. For a true difference of m at least m / step of the examples must
    be answered differently, and their number is binomial: its variance is no less than
    m (step - m) / N. Where almost all answers agree by chance, the variance that was seen is less
    than that, and the test would call equivalent what it has merely not seen yet.
    """
    return math.sqrt(margin * max(0.0, step - margin) / examples)


def crossed(d: Floats, difference: float | None = None) -> Crossed:
    """The error of a mean difference, from the differences of seeds and examples.

    Args:
        d: What each example adds to the difference at each seed (S N); N is 2 at least. With S = 1
            the error is that of the examples alone, and says nothing of other seeds.
        difference: The center, where it is not the mean of d: pseudo-values average to the score
            only up to their bias of order 1/N.
    """
    seeds, examples = d.shape
    center = float(d.mean()) if difference is None else difference
    if seeds == 1:
        variance = float(d[0].var(ddof=1))
        only = Parts(0.0, 1.0, variance / examples, examples - 1.0)
        return Crossed(center, only, Components(0.0, 0.0, variance), 1, examples)
    squares = mean_squares(d)
    return Crossed(
        center,
        parts_of(squares, seeds, examples),
        components(squares, seeds, examples),
        seeds,
        examples,
    )


def mean_squares(d: Floats) -> MeanSquares:
    """The mean squares of seeds, of examples and of the rest, for d (... S N), S and N above 1."""
    s, n = d.shape[-2:]
    by_seed, by_example = d.mean(-1, keepdims=True), d.mean(-2, keepdims=True)
    mean = by_seed.mean(-2, keepdims=True)
    rest = ((d - by_seed - by_example + mean) ** 2).sum((-2, -1))
    return MeanSquares(
        n * ((by_seed - mean) ** 2).sum((-2, -1)) / (s - 1),
        s * ((by_example - mean) ** 2).sum((-2, -1)) / (n - 1),
        rest / ((s - 1) * (n - 1)),
    )


def components(squares: MeanSquares, seeds: int, examples: int) -> Components:
    """Variances of seeds, examples and rest, 0 where the unbiased estimate is negative."""
    rest = float(squares.rest)
    return Components(
        max(0.0, (float(squares.seeds) - rest) / examples),
        max(0.0, (float(squares.examples) - rest) / seeds),
        rest,
    )


def expected(of: Components, seeds: int, examples: int) -> MeanSquares:
    """The mean squares that another number of seeds and examples would have on average."""
    return MeanSquares(
        np.array(examples * of.seeds + of.rest),
        np.array(seeds * of.examples + of.rest),
        np.array(of.rest),
    )


def parts_of(squares: MeanSquares, seeds: int, examples: int) -> Parts:
    """The parts of the mean's error: that of the seeds, and that of the examples."""
    cells = seeds * examples
    of_examples = max(0.0, float(squares.examples) - float(squares.rest))
    return Parts(float(squares.seeds) / cells, seeds - 1.0, of_examples / cells, examples - 1.0)
