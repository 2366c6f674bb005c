"""How well each class is recognised: precision, recall and F1 from the stored answers.

    precision = hits / answers of the class      recall = hits / examples of the class
    F1        = 2 hits / (answers + examples)

A share of nothing counts as 0, as in scikit-learn's `precision_recall_fscore_support`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .cells import Cell
from .predictions import Predictions, joined
from .rows import Mean, mean


@dataclass(frozen=True)
class ClassScores:
    """One class under one method, over the seeds whose answers are stored."""

    label: str
    method: str
    examples: int
    """Test examples of this class."""
    precision: Mean
    recall: Mean
    f1: Mean


def class_scores(cells: Sequence[Cell], task: str) -> tuple[ClassScores, ...]:
    """Every class that occurs among a task's test labels or answers, under each method.

    Classes stand in numerical or else alphabetical order, methods in that of the cells. Answers
    that are no classes, such as numbers or lists of labels, give none.
    """
    stored = class_answers(cells, task)
    seeds = [one for many in stored.values() for one in many]
    labels = _in_order({label for one in seeds for label in (*one.labels, *one.predictions)})
    counted = {method: [_Counts(one) for one in many] for method, many in stored.items()}
    return tuple(
        _scores(label, method, counts) for label in labels for method, counts in counted.items()
    )


def class_answers(
    cells: Sequence[Cell], task: str, methods: Sequence[str] = ()
) -> dict[str, list[Predictions]]:
    """Method → the stored answers of each of its seeds on a task, where these are classes.

    The folds of a cross-validation are joined: one may have a single row of a class, so that a mean
    over folds of what it shows would say little.

    Args:
        cells: The cells of a comparison; those of other tasks are passed over.
        task: The task's name.
        methods: Only these; by default all.
    """
    stored: dict[str, dict[int, list[Predictions]]] = {}
    for cell in cells:
        ended = cell.task == task and cell.result.status == "complete"
        wanted = ended and (not methods or cell.result.method in methods)
        if wanted and cell.predictions is not None and are_classes(cell.predictions):
            of_method = stored.setdefault(cell.result.method, {})
            of_method.setdefault(cell.result.seed, []).append(cell.predictions)
    return {method: [joined(one) for one in seeds.values()] for method, seeds in stored.items()}


def are_classes(predictions: Predictions) -> bool:
    """Whether labels and answers are names of classes."""
    return all(isinstance(one, str) for one in (*predictions.labels, *predictions.predictions))


def _in_order(labels: Iterable[str]) -> list[str]:
    """The labels by number where all are whole numbers, otherwise by the alphabet."""
    known = sorted(labels)
    return sorted(known, key=int) if all(label.isdecimal() for label in known) else known


class _Counts:
    """How often each class is the label, the answer, and both."""

    def __init__(self, one: Predictions) -> None:
        pairs = zip(one.labels, one.predictions, strict=True)
        self.examples, self.answers = Counter(one.labels), Counter(one.predictions)
        self.hits = Counter(label for label, answer in pairs if label == answer)


def _scores(label: str, method: str, seeds: Sequence[_Counts]) -> ClassScores:
    """The means over the seeds."""
    counts = [(one.hits[label], one.answers[label], one.examples[label]) for one in seeds]
    return ClassScores(
        label=label,
        method=method,
        examples=counts[0][2],
        precision=_mean([_share(hits, answers) for hits, answers, _ in counts]),
        recall=_mean([_share(hits, examples) for hits, _, examples in counts]),
        f1=_mean([_share(2 * hits, answers + examples) for hits, answers, examples in counts]),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _mean(values: Sequence[float]) -> Mean:
    average = mean(values)
    assert average is not None
    return average
