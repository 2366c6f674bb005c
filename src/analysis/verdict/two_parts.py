"""The distribution of an error that has two parts, each with a variance that is itself estimated.

    error = sqrt(var_1) t(f_1) + sqrt(var_2) t(f_2),    t(f) Student's with f degrees of freedom

This is the distribution of Behrens (1929) and Fisher (1935) for the sum of two independent means.
Where one variance is 0 it is Student's t of the other. A single t with degrees of freedom by
Satterthwaite is its usual stand-in; with two or four degrees of freedom in one part that is much
too light in the tails, which is where Holm's levels for 28 pairs are (`crossed.py` has figures).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL = 200.0
"""From so many degrees of freedom on, Student's t is taken as normal, which is faster."""
WIDE, NARROW = np.linspace(-1, 1, 201), np.linspace(-1, 1, 61)
"""Nodes, of the range that holds all but 1e-15 of the outer part."""
PRECISION = 1e-9
"""Relative, of the logarithm of a tail in `quantile`."""


class Parts(NamedTuple):
    """The two parts of an error."""

    first: float
    """The variance of the first part, 0 at least."""
    first_degrees: float
    second: float
    second_degrees: float

    @property
    def standard_error(self) -> float:
        """The root of the sum of the variances."""
        return math.sqrt(self.first + self.second)


def upper(x: float, parts: Parts) -> float:
    """The chance that the error is above x.

    One part is integrated over, and Student's t answers for the other. The outer part is written as
    t = sqrt(f) sinh(u), which has the density cosh(u)^-f: smooth and with light tails, so that the
    trapezoidal rule converges fast (Trefethen & Weideman 2014). Without any variance it is certain.
    """
    if parts.first == 0 and parts.second == 0:
        return 1.0 if x < 0 else 0.5 if x == 0 else 0.0
    if parts.second == 0:
        return float(_below(-x / math.sqrt(parts.first), parts.first_degrees))
    if parts.first == 0:
        return float(_below(-x / math.sqrt(parts.second), parts.second_degrees))
    one = (math.sqrt(parts.first), parts.first_degrees)
    two = (math.sqrt(parts.second), parts.second_degrees)
    # The narrower part is the outer one: the inner function is then no steeper than its weights.
    (outer, degrees), (inner, inner_degrees) = (one, two) if one[0] < two[0] else (two, one)
    value, weight = _nodes(degrees)
    return float(weight @ _below((outer * value - x) / inner, inner_degrees))


def quantile(tail: float, parts: Parts) -> float:
    """The x above which the error is with this chance (0 < tail < 1/2).

    Between two bounds by false position (Illinois) on the logarithms of both, in which tails are
    nearly straight. Student's t is wider than a normal; and where each part stays below its own
    quantile of half the tail, so does the sum below theirs.
    """
    from scipy.special import ndtri, stdtrit

    if parts.first == 0 and parts.second == 0:
        return 0.0
    sides = (
        math.sqrt(parts.first) * float(stdtrit(parts.first_degrees, 1 - tail / 2)),
        math.sqrt(parts.second) * float(stdtrit(parts.second_degrees, 1 - tail / 2)),
    )
    low = math.log(-float(ndtri(tail)) * parts.standard_error * 0.99)
    high = math.log(sum(sides))
    wanted = math.log(tail)
    over = math.log(upper(math.exp(low), parts)) - wanted
    under = math.log(upper(math.exp(high), parts)) - wanted
    middle, before = low, 0.0
    for _ in range(60):
        middle = low + (high - low) * over / (over - under)
        value = math.log(upper(math.exp(middle), parts)) - wanted
        if abs(value) < PRECISION:
            break
        # An end that stays twice is made to count for less, or it would stay for ever.
        if value > 0:
            low, over, under = middle, value, under / 2 if before > 0 else under
        else:
            high, under, over = middle, value, over / 2 if before < 0 else over
        before = value
    return math.exp(middle)


def _nodes(degrees: float) -> tuple[Floats, Floats]:
    """Values of a part with these degrees of freedom, and their weights."""
    if degrees >= NORMAL:
        value = 8.0 * NARROW
        weight = np.exp(-(value**2) / 2)
    else:
        u = math.acosh(10 ** min(300.0, 15 / degrees)) * WIDE
        value, weight = math.sqrt(degrees) * np.sinh(u), np.cosh(u) ** -degrees
    return value, weight / weight.sum()


def _below(t: Floats | float, degrees: float) -> Floats:
    """The chance that a part is below t of its standard deviations."""
    from scipy.special import ndtr, stdtr

    return np.asarray(ndtr(t) if degrees >= NORMAL else stdtr(degrees, t))
