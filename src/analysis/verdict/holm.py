"""Holm's step-down adjustment of p-values: the family-wise error stays at its level.

Holm (1979): the k-th smallest of m p-values is held against level / (m - k + 1), and nothing after
the first that fails is rejected. It needs no independence, which pairs of methods do not have.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def adjusted(values: Sequence[float]) -> list[float]:
    """The smallest level at which Holm would reject each of m hypotheses."""
    p = np.asarray(values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(stepped, 1.0)
    adjusted_values: list[float] = result.tolist()
    return adjusted_values


def levels(values: Sequence[float], level: float) -> list[float]:
    """What Holm's procedure holds each p-value against, given all others.

    A hypothesis that is not rejected is held against level / (those not rejected): this is the
    level at which its first one failed, and no other of them gets a larger one.
    """
    rejected = [p <= level for p in adjusted(values)]
    left = max(1, len(rejected) - sum(rejected))
    order = np.argsort(np.asarray(values, dtype=float), kind="stable")
    steps = {int(place): len(rejected) - step for step, place in enumerate(order)}
    return [level / (steps[i] if rejected[i] else left) for i in range(len(rejected))]
