"""Which methods have a task's highest score, and whether that may be called a lead.

Equal is equal: scores that read alike in the tables share the first place. One seed leads nothing.
With several seeds a method leads where each of its seeds is above every seed of the others, and
no other method is within what the test examples alone leave open: an accuracy on n examples is a
binomial share, for which Wilson's interval holds. For other metrics that interval is not claimed.
In a cross-validation the folds decide instead, paired and corrected for the training rows that
they share (`folds.py`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from .folds import FoldScores
from .format import listed
from .rows import Row

DECIMALS = 3
"""Digits of a score in the tables: scores that agree in them are equal."""


@dataclass(frozen=True)
class Leaders:
    """Who has the highest score on a task, and who cannot be told apart from that."""

    rows: tuple[Row, ...]
    """The methods with the highest score; several where they are equal."""
    score: float
    margin: float | None
    """95 % half-width of that score from the test examples or the folds; none where unknown."""
    close: tuple[str, ...]
    """Other methods within the margin; in a cross-validation those that it is not clearly above."""
    separate: bool
    """Whether one method may be called the leader."""

    @property
    def names(self) -> tuple[str, ...]:
        """The methods with the highest score."""
        return tuple(row.name for row in self.rows)


def half_width(share: float, examples: int, confidence: float = 0.95) -> float:
    """Half the width of Wilson's interval for a share of so many examples."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    inside = share * (1 - share) / examples + (z / (2 * examples)) ** 2
    return z * math.sqrt(inside) / (1 + z * z / examples)


def equal(score: float, other: float) -> bool:
    """Whether two scores read alike in the tables."""
    return f"{score:.{DECIMALS}f}" == f"{other:.{DECIMALS}f}"


def leaders(rows: Sequence[Row]) -> Leaders | None:
    """The leaders among the trained rows of a task; none while none has a score."""
    scored = [(row, row.score.value) for row in rows if row.trained and row.score is not None]
    if not scored:
        return None
    top = max(score for _, score in scored)
    best = tuple(row for row, score in scored if equal(score, top))
    first = next(row for row, score in scored if score == top)
    if first.folds is not None:
        below = [row for row, _ in scored if row not in best]
        near = tuple(row.name for row in below if not _clearly_above(first.folds, row))
        separate = len(best) == 1 and bool(below) and not near
        return Leaders(best, top, first.folds.half_width, near, separate)
    known = first.metric == "accuracy" and first.test_examples > 0 and 0 <= top <= 1
    margin = half_width(top, first.test_examples) if known else None
    others = [(row, score) for row, score in scored if row not in best]
    close = tuple(row.name for row, score in others if score >= top - (margin or 0))
    separate = len(best) == 1 and not close and _above(first, [row for row, _ in others])
    return Leaders(best, top, margin, close, separate)


def _above(first: Row, others: Sequence[Row]) -> bool:
    """Whether each of several seeds of a row is above every seed of all others."""
    if len(first.seed_scores) < 2 or not others:
        return False
    return min(first.seed_scores) > max(score for row in others for score in row.seed_scores)


def _clearly_above(first: FoldScores, other: Row) -> bool:
    """Whether a cross-validation shows that a row's mean is below the first one's."""
    return other.folds is not None and first.is_above(other.folds)


def margin_line(table: Leaders | None) -> str:
    """What the test examples or folds leave open about a task's best score; empty where unknown."""
    if table is None or table.margin is None:
        return ""
    if table.rows[0].folds is not None:
        return _folds_line(table, table.rows[0].folds, table.margin)
    size = f"{table.rows[0].test_examples:,} test examples"
    start = f"The best accuracy has a 95 % half-width of {table.margin:.3f} from its {size}"
    equals = table.names if len(table.rows) > 1 else ()
    near = (*equals, *table.close)
    if not near:
        return f"{start}; no other method is that near."
    verb = "lies" if len(near) == 1 else "lie"
    return f"{start}; {listed(near)} {verb} within it and cannot be told apart."


def _folds_line(table: Leaders, folds: FoldScores, margin: float) -> str:
    """The same of a cross-validation."""
    start = (
        f"The best mean over {folds.count} folds has a 95 % half-width of {margin:.3f}, corrected "
        f"for the training rows that folds share (Nadeau and Bengio)"
    )
    near = (*(table.names if len(table.rows) > 1 else ()), *table.close)
    if not near:
        return f"{start}; fold by fold it is above every other method."
    return f"{start}; {listed(near)} cannot be told apart fold by fold."


@dataclass(frozen=True)
class Average:
    """One method over all tasks."""

    method: str
    rows: tuple[Row, ...]
    """Its row on each task, in the order of the tasks."""
    mean: float | None
    """The mean of its scores; none unless every task has one that compares with the others'."""

    @property
    def is_complete(self) -> bool:
        """Whether every task has a score of it."""
        return all(row.score is not None for row in self.rows)


def averages(
    methods: Sequence[str],
    tables: Sequence[Sequence[Row]],
    unranked: Sequence[Collection[str]] = (),
) -> tuple[Average, ...]:
    """Each method's row on each task, and the mean of its scores where every task has one.

    Args:
        methods: In the order of the table.
        tables: The rows of each task.
        unranked: For each task the methods whose scores do not compare with the others'.
    """
    overview = []
    apart = {name for names in unranked for name in names}
    for method in methods:
        of_method = [row for table in tables for row in table if row.trained and row.name == method]
        scores = [row.score.value for row in of_method if row.score is not None]
        whole = scores and len(scores) == len(tables) and method not in apart
        overview.append(Average(method, tuple(of_method), fmean(scores) if whole else None))
    return tuple(overview)
