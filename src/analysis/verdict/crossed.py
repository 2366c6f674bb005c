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
    3 × 277               0.951 0.976     0.919 0.950     0.924 1.000     0.924 0.990
    3 × 872               0.948 0.978     0.912 0.954     0.914 1.000     0.920 0.989
    5 × 872               0.947 0.967     0.942 0.962     0.943 0.997     0.946 0.997
    5 × 1,043             0.949 0.974     0.946 0.963     0.946 0.996     0.947 0.992
    5 × 1,043, MCC        0.952 0.970     0.942 0.962     0.947 0.996     0.948 0.994

What decides is the tails. Of eight equal methods some are told apart at Holm's level for 28 pairs,
with 3 seeds and then 5, in at most 5 and 4 % of the studies by two parts; in 53 and 13 % by the
unbiased form with one t, in 30 and 13 % by the truncated, in 32 and 13 % by MS_a + MS_b (four
designs, 1,000 studies each, ours 2,000). One t takes seeds that agree by chance for proof.

A score of classes moves in steps, and where few answers differ their number is a count and no bell:
equivalence is tested with no less than `least_error`, a difference with no less than the p of a
sign test. At the edge of the margin equivalence then errs in at most 4.6 % of 2,000 studies each
of 16 designs, and in as few where hardly any answer differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .two_parts import Parts, quantile, upper

Floats = NDArray[np.float64]

DIFFERENT = 0.1
"""Of a step: where pseudo-values differ by less, the answers are the same, and only the scores that
they are a part of are not."""


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
    step: float = 0.0
    """The most that one example can move N times the difference; 0 where it moves without steps."""
    differing: int | None = None
    """Test examples that the methods answer differently; none where that is not known."""

    @property
    def standard_error(self) -> float:
        """The standard error of the difference."""
        return self.parts.standard_error

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The confidence interval of the difference.

        Where so few answers differ that a sign test of them could show nothing, 0 is in it, and it
        is as wide as Wilson's for a share of which nothing was seen.
        """
        tail = (1 - confidence) / 2
        half = quantile(tail, self.parts)
        if self._least_p() >= 2 * tail:
            squared = quantile(tail, Parts(0.0, 1.0, 1.0, self.examples - 1.0)) ** 2
            of_nothing = self.step * squared / (self.examples + squared)
            half = max(half, abs(self.difference), of_nothing)
        return self.difference - half, self.difference + half

    def p(self) -> float:
        """The two-sided p-value of no difference."""
        return min(1.0, max(2 * upper(abs(self.difference), self.parts), self._least_p()))

    def _least_p(self) -> float:
        """The p of a sign test in which all examples that differ say the same.

        A few examples can agree by chance, and then show no variance that would tell.
        """
        return 0.0 if self.differing is None else min(1.0, 2.0 ** (1 - self.differing))

    def p_equivalence(self, margin: float) -> float:
        """The p-value of two one-sided tests that the difference lies within ± margin."""
        parts, less = at_margin(self.parts, margin, self.step, self.examples)
        return upper(margin - abs(self.difference) - less, parts)


def at_margin(parts: Parts, margin: float, step: float, examples: int) -> tuple[Parts, float]:
    """The error that equivalence is tested with, and what is taken off the distance to the margin.

    Below the least error half a step is taken off, as for a binomial share.
    """
    least = least_error(margin, step, examples)
    if parts.standard_error >= least:
        return parts, 0.0
    return widened(parts, least, examples), step / (2 * examples)


def least_error(difference: float, step: float, examples: int) -> float:
    """The least standard error with which a true difference (above 0) can be observed.

    For a difference of m at least m / step of the examples must be answered differently, and their
    number is binomial: its variance is no less than m (step - m) / N. Where almost all answers
    agree by chance, the variance that was seen is less, and a test would call equivalent what it
    has merely not seen yet.
    """
    return math.sqrt(difference * max(0.0, step - difference) / examples)


def widened(parts: Parts, least: float, examples: int) -> Parts:
    """An error of at least this size; what is added is the examples'."""
    if parts.standard_error >= least:
        return parts
    return Parts(parts.first, parts.first_degrees, least**2 - parts.first, examples - 1.0)


def crossed(d: Floats, difference: float | None = None, step: float = 0.0) -> Crossed:
    """The error of a mean difference, from the differences of seeds and examples.

    Args:
        d: What each example adds to the difference at each seed (S N); N is 2 at least. With S = 1
            the error is that of the examples alone, and says nothing of other seeds.
        difference: The center, where it is not the mean of d: pseudo-values average to the score
            only up to their bias of order 1/N.
        step: The most that one example can move N times the difference.
    """
    seeds, examples = d.shape
    center = float(d.mean()) if difference is None else difference
    differing = int((np.abs(d).max(0) > DIFFERENT * step).sum())
    if seeds == 1:
        variance = float(d[0].var(ddof=1))
        only = Parts(0.0, 1.0, variance / examples, examples - 1.0)
        return Crossed(center, only, Components(0.0, 0.0, variance), 1, examples, step, differing)
    squares = mean_squares(d)
    return Crossed(
        center,
        parts_of(squares, seeds, examples),
        components(squares, seeds, examples),
        seeds,
        examples,
        step,
        differing,
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
