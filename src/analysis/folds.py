"""The folds of a cross-validation: shown as one task, and not taken for independent.

Each row of the file is a test row once, so the folds' test rows together are the file. But any two
folds share most of their training rows: their scores are not independent, and s²/K is too small a
variance of their mean. Nadeau and Bengio (2003) take instead

    (1/K + n_test / n_train) s²,      s² the variance of the K scores, K - 1 degrees of freedom

which is close on most data and exact on none: no estimate from one cross-validation is unbiased
(Bengio and Grandvalet 2004).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from ..records import Comparison

CONFIDENCE = 0.95


@dataclass(frozen=True)
class FoldScores:
    """A method's score in each fold of a task."""

    scores: Mapping[int, float]
    """Fold's number → mean over its seeds."""
    count: int
    """K."""
    ratio: float
    """Test rows over training rows."""

    @property
    def half_width(self) -> float | None:
        """95 % half-width of the mean; none where a fold is missing."""
        values = list(self.scores.values())
        if not 1 < self.count == len(values):
            return None
        return corrected_half_width(values, self.ratio)

    def is_above(self, other: FoldScores) -> bool:
        """Whether the mean difference, fold by fold, is above zero by more than its half-width."""
        if self.half_width is None or self.scores.keys() != other.scores.keys():
            return False
        gaps = [score - other.scores[fold] for fold, score in self.scores.items()]
        return fmean(gaps) > corrected_half_width(gaps, max(self.ratio, other.ratio))


def corrected_half_width(
    values: Sequence[float], ratio: float, confidence: float = CONFIDENCE
) -> float:
    """Half the width of the interval for the mean of one number a fold.

    Args:
        values: One for each of at least two folds.
        ratio: Test rows over training rows.
        confidence: Of the interval.
    """
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, 0.5 + confidence / 2))
    return quantile * stdev(values) * math.sqrt(1 / len(values) + ratio)


def as_one_task(comparison: Comparison) -> Comparison:
    """The comparison as tables show it: a file's folds are one task; without any as it is.

    Its cells and studies keep the names of the folds. Untrained rows come once for each fold.
    """
    folds = comparison.folds
    if not folds:
        return comparison
    named = {task: folds[task].task if task in folds else task for task in comparison.tasks}
    tasks = tuple(dict.fromkeys(named.values()))
    return replace(
        comparison,
        tasks=tasks,
        sources={named.get(task, task): text for task, text in comparison.sources.items()},
        notes={task: _notes(comparison, parts_of(comparison, task)) for task in tasks},
        references=tuple(
            replace(row, task=named.get(row.task, row.task)) for row in comparison.references
        ),
    )


def parts_of(comparison: Comparison, task: str) -> tuple[str, ...]:
    """The tasks of a comparison that a shown task is made of: itself, or a file's folds."""
    folds = comparison.folds
    named = {one: folds[one].task if one in folds else one for one in comparison.tasks}
    return tuple(one for one, shown in named.items() if shown == task)


def _notes(comparison: Comparison, tasks: Sequence[str]) -> tuple[str, ...]:
    """The notes on these folds: what holds for all once, the others under their fold."""
    every = [comparison.notes.get(task, ()) for task in tasks]
    shared = [note for note in every[0] if all(note in notes for notes in every)]
    single = [
        f"fold {comparison.folds[task].number}: {note}"
        for task, notes in zip(tasks, every, strict=True)
        for note in notes
        if note not in shared and task in comparison.folds
    ]
    return (*shared, *single)
