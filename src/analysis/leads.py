"""Who is ahead on a task, and what its test examples leave open.

Without per-example predictions only one kind of doubt can be computed: an accuracy on n test
examples is a binomial share, so Wilson's interval holds for it. For other metrics nothing is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from ..records import Comparison
from .rows import Row, rows
from .words import listed


@dataclass(frozen=True)
class Lead:
    """Who is ahead on a task, and who cannot be told apart from the leader."""

    row: Row
    """The method with the highest score."""
    margin: float | None
    """95 % half-width of that score from the test examples; none where it cannot be computed."""
    close: tuple[str, ...]
    """Other methods within the margin."""


def half_width(share: float, examples: int, confidence: float = 0.95) -> float:
    """Half the width of Wilson's interval for a share of so many examples."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    inside = share * (1 - share) / examples + (z / (2 * examples)) ** 2
    return z * math.sqrt(inside) / (1 + z * z / examples)


def lead(table: Sequence[Row]) -> Lead | None:
    """The leader among the trained rows of a task; none while none has a score."""
    scored = [(row, row.score.value) for row in table if row.trained and row.score is not None]
    if not scored:
        return None
    best, top = max(scored, key=lambda pair: pair[1])
    known = best.metric == "accuracy" and best.test_examples > 0 and 0 <= top <= 1
    margin = half_width(top, best.test_examples) if known else None
    close = [r.name for r, s in scored if r is not best and s >= top - (margin or 0)]
    return Lead(best, margin, tuple(close))


def margin_line(table: Sequence[Row]) -> str:
    """What the test examples alone leave open about a task's best score; empty where unknown."""
    ahead = lead(table)
    if ahead is None or ahead.margin is None:
        return ""
    size = f"{ahead.row.test_examples:,} test examples"
    start = f"The best accuracy has a 95 % half-width of {ahead.margin:.3f} from its {size}"
    if not ahead.close:
        return f"{start}; no other method is that near."
    verb = "lies" if len(ahead.close) == 1 else "lie"
    return f"{start}; {listed(list(ahead.close))} {verb} within it and cannot be told apart."


def averages(comparison: Comparison) -> list[tuple[str, list[Row], float | None]]:
    """Method → its row on each task, and the mean of its scores where every task has one."""
    tables = [rows(comparison, task) for task in comparison.tasks]
    found = []
    for method in comparison.methods:
        own = [row for table in tables for row in table if row.trained and row.name == method]
        scores = [row.score.value for row in own if row.score is not None]
        whole = scores and len(scores) == len(comparison.tasks)
        found.append((method, own, fmean(scores) if whole else None))
    return found
