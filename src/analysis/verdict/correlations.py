"""Pearson's and Spearman's correlation of n values, and what they are without each example.

Both in closed form: nothing is computed n times over. A constant correlates with nothing and has
the coefficient 0, as in `objectives/regression.py`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

DOMINATES = 1e-6
"""Below this share of a sum of squares, what is left without an example is summed afresh."""


def pearson(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Pearson's correlation of x and y (n), and what it is without each example (n).

    Leaving out i takes n / (n - 1) times the product of its deviations from each sum of products
    about the mean. Values are shifted by their means first, so that those far from zero keep their
    digits.
    """
    n = x.size
    u, v = centered(x), centered(y)
    sums = float(u @ u), float(v @ v), float(u @ v)
    less = n / max(1, n - 1)
    uu, vv, uv = sums[0] - less * u * u, sums[1] - less * v * v, sums[2] - less * u * v
    # Where one example has nearly all of the squares, the difference has lost its digits.
    for i in np.flatnonzero((uu <= DOMINATES * sums[0]) | (vv <= DOMINATES * sums[1])):
        a, b = centered(np.delete(x, i)), centered(np.delete(y, i))
        uu[i], vv[i], uv[i] = a @ a, b @ b, a @ b
    uu[constant_without(x)], vv[constant_without(y)] = 0.0, 0.0
    constant = bool((x == x[0]).all() or (y == y[0]).all())
    whole = 0.0 if constant else sums[2] / (math.sqrt(sums[0]) * math.sqrt(sums[1]))
    return min(1.0, max(-1.0, whole)), quotient(uv, uu, vv)


def spearman(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Spearman's correlation of x and y (n) with mid-ranks, and what it is without each example.

    Leaving out i lowers the rank of each j above it by one and of each j equal to it by a half.
    With D[i, j] these steps (1 above, 1/2 equal, 0 below), the sum of products of the new ranks is

        sum_j (r_j - Dx_ij) (s_j - Dy_ij) - (r_i - 1/2) (s_i - 1/2),

    of which only sum_j Dx_ij Dy_ij needs counting in two dimensions (`joint_steps`). All terms are
    multiples of a quarter and exact in float64.
    """
    n = x.size
    (a, of_a), (b, of_b) = groups(x), groups(y)
    r, s = midranks(of_a)[a], midranks(of_b)[b]
    products = (
        r @ s
        - steps_times(a, s)
        - steps_times(b, r)
        + joint_steps(a, of_a, b, of_b)
        - (r - 0.5) * (s - 0.5)
    )
    center = (n - 1) * (n / 2) ** 2
    squares = (squares_without(of, n)[group] for group, of in ((a, of_a), (b, of_b)))
    whole = n * ((n + 1) / 2) ** 2
    both = float(r @ r) - whole, float(s @ s) - whole
    score = 0.0 if min(both) <= 0 else (float(r @ s) - whole) / math.sqrt(both[0] * both[1])
    return min(1.0, max(-1.0, score)), quotient(products - center, *squares)


def centered(x: Floats) -> Floats:
    """Values (n) less their mean, by the greatest deviation, so that squares stay floats."""
    u = x - x.mean()
    u = u - u.mean()
    largest = float(np.abs(u).max(initial=0.0))
    scaled: Floats = u / largest if largest > 0 else u
    return scaled


def quotient(products: Floats, first: Floats, second: Floats) -> Floats:
    """Correlations from sums of products about the means; 0 where either is constant."""
    first, second = np.maximum(first, 0.0), np.maximum(second, 0.0)
    # Two roots: the product of two sums may leave the range of floats where each is in it.
    spread = np.sqrt(first) * np.sqrt(second)
    value = np.divide(products, spread, out=np.zeros_like(products), where=spread > 0)
    clipped: Floats = np.clip(value, -1.0, 1.0)
    return clipped


def constant_without(x: Floats) -> Integers:
    """The examples (at most a few) without which all other values are equal."""
    ordered = np.sort(x)
    if x.size < 3 or ordered[0] == ordered[-1]:
        return np.arange(x.size)
    if ordered[0] == ordered[-2]:
        return np.flatnonzero(x == ordered[-1])
    if ordered[1] == ordered[-1]:
        return np.flatnonzero(x == ordered[0])
    return np.arange(0)


def groups(x: Floats) -> tuple[Integers, Integers]:
    """Each value's place among the distinct ones from below (n), and how many share each (m)."""
    _, place, sizes = np.unique(x, return_inverse=True, return_counts=True)
    return place, sizes


def midranks(sizes: Integers) -> Floats:
    """The mean rank, from 1, that the members of each group share (m)."""
    ranks: Floats = np.cumsum(sizes) - (sizes - 1) / 2
    return ranks


def steps_times(place: Integers, weights: Floats) -> Floats:
    """sum_j D[i, j] w_j for each i (n): the weights above it, and half of those equal to it."""
    sums = np.bincount(place, weights)
    above = sums.sum() - np.cumsum(sums)
    steps: Floats = (above + sums / 2)[place]
    return steps


def squares_without(sizes: Integers, n: int) -> Floats:
    """The sum of squares of ranks about their mean, one of each group (m) left out of n."""
    size = sizes.astype(float)
    ties = (size**3 - size).sum() - 3 * size * (size - 1)
    squares: Floats = ((n - 1) ** 3 - (n - 1) - ties) / 12
    return squares


def joint_steps(a: Integers, of_a: Integers, b: Integers, of_b: Integers) -> Floats:
    """sum_j Dx[i, j] Dy[i, j] for each i (n), in n log n.

    Twice a step is the count of "above" plus that of "above or equal", so that four counts of
    examples above in both orders add up to four times the sum.
    """
    n, order = a.size, np.argsort(-a, kind="stable")
    from_above = (of_b.size - 1 - b)[order]
    not_above = np.cumsum(of_a)[a]
    heads = np.concatenate((n - not_above, n - not_above + of_a[a]))
    bound = of_b.size - 1 - b
    strict = np.concatenate((bound, bound))
    counts = count_below(from_above, np.tile(heads, 2), np.concatenate((strict, strict + 1)))
    quarter: Floats = counts.reshape(4, n).sum(0) / 4
    return quarter


def count_below(values: Integers, heads: Integers, bounds: Integers) -> Integers:
    """How many of values[:head] lie below a bound, for each head and bound (q).

    A wavelet matrix (Claude, Navarro & Ordóñez 2015): the values' bits from the highest down; at
    each the values with a 0 move before those with a 1, and each query follows its range.

    Args:
        values: Whole numbers from 0 (n).
        heads: How many of the first values are looked at (q).
        bounds: What they must lie below (q), at most one more than the greatest value.
    """
    counts, start, end = np.zeros_like(heads), np.zeros_like(heads), heads
    for bit in reversed(range(int(bounds.max()).bit_length())):
        zero = (values >> bit) & 1 == 0
        before = np.concatenate(([0], np.cumsum(zero)))
        first, last, all_zeros = before[start], before[end], before[-1]
        above = (bounds >> bit) & 1 == 1
        counts = counts + np.where(above, last - first, 0)
        start = np.where(above, all_zeros + start - first, first)
        end = np.where(above, all_zeros + end - last, last)
        values = np.concatenate((values[zero], values[~zero]))
    return counts
