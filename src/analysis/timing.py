"""How well the mean of several cells' latency ratios was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..records import Latency
from .cells import Cell
from .format import present


def ratio_interval(
    cells: Sequence[Cell], timed: Callable[[Cell], Latency | None]
) -> tuple[float, float] | None:
    """The 95 % interval of the mean ratio of cells that were timed apart from each other.

    Errors of ratios are relative, and those of several cells add up as squares. It says how well
    these models were timed, and nothing of other seeds.

    Args:
        cells: Of one method.
        timed: A cell's latency; none where it has none.

    Returns:
        The two ends; none where one of the ratios has no interval, or there is none.
    """
    known = [one for one in map(timed, cells) if one is not None]
    values, halves = [], []
    for one in known:
        if one.ratio is None or not present(one.ratio):
            continue
        if one.ratio_low is None or one.ratio_high is None:
            return None
        values.append(one.ratio)
        halves.append(one.ratio * math.log(one.ratio_high / one.ratio_low) / 2)
    if not values:
        return None
    half = math.hypot(*halves) / sum(values)
    mean = sum(values) / len(values)
    return mean * math.exp(-half), mean * math.exp(half)
