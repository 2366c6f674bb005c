"""From where to where a metric goes: an interval of a score ends there.

Student's t knows no bounds, so that few seeds that scatter give an accuracy of up to 1.4.
"""

from __future__ import annotations

import math
import re

UNIT, SIGNED = (0.0, 1.0), (-1.0, 1.0)
RANGES = {
    "accuracy": UNIT,
    "balanced_accuracy": UNIT,
    "f1": UNIT,
    "macro_f1": UNIT,
    "mcc": SIGNED,
    "pearson": SIGNED,
    "spearman": SIGNED,
}
UNBOUNDED = (-math.inf, math.inf)


def components(metric: str) -> tuple[str, ...]:
    """The metrics whose mean a score is: ("accuracy", "f1") for "mean(accuracy, f1)"."""
    mean = re.fullmatch(r"mean\((.+)\)", metric)
    return tuple(mean[1].split(", ")) if mean else (metric,)


def metric_range(metric: str) -> tuple[float, float]:
    """The lowest and the highest value; infinite where the metric is not one of ours.

    Args:
        metric: A score's name, such as "mcc", "f1:urgent" or "mean(pearson, spearman)".
    """
    each = [RANGES.get(name.partition(":")[0], UNBOUNDED) for name in components(metric)]
    low, high = (sum(ends) / len(each) for ends in zip(*each, strict=True))
    return low, high


def clipped(low: float, high: float, metric: str) -> tuple[float, float]:
    """An interval of a score as far as the metric goes."""
    least, most = metric_range(metric)
    return min(max(low, least), most), max(min(high, most), least)


def clipped_difference(low: float, high: float, metric: str) -> tuple[float, float]:
    """An interval of the difference of two scores as far as two scores can be apart."""
    least, most = metric_range(metric)
    width = most - least
    return min(max(low, -width), width), max(min(high, width), -width)
