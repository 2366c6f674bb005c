"""Cells whose answers are made up, with the scores that our own objectives give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tunebench.analysis import Predictions
from tunebench.analysis.cells import Cell
from tunebench.data.tasks import Task
from tunebench.objectives import get_objective

from tests.records import result

CLASSES = ("no", "yes")


def task(metrics: Sequence[str], classes: Sequence[str] = CLASSES) -> Task:
    """A task that is scored by the mean of these metrics."""
    numbers = bool({"pearson", "spearman"} & set(metrics))
    kind = "regression" if numbers else "classification"
    names = () if numbers else tuple(classes)
    return Task("made-up", ("text",), "label", names, tuple(metrics), "", objective=kind)


def scores(of: Task, labels: Sequence[Any], answers: Sequence[Any]) -> dict[str, float]:
    """What the task's own objective makes of labels and answers, by metric."""
    known: dict[str, float] = get_objective(of.objective).score(of, list(answers), list(labels))
    return known


def stored(of: Task, labels: Sequence[Any], answers: Sequence[Any]) -> Predictions:
    """A file of predictions as a run writes it; labels and answers are numbers."""
    import torch

    if of.labels:
        outputs = torch.zeros(len(labels), len(of.labels))
        outputs[range(len(labels)), [int(answer) for answer in answers]] = 1.0
    else:
        outputs = torch.tensor(np.asarray(answers, dtype=float))[:, None]
    columns = get_objective(of.objective).columns(of, list(labels), outputs)
    ids = tuple(f"row {number}" for number in range(len(labels)))
    label, answer = columns.pop("label"), columns.pop("prediction")
    return Predictions(ids, tuple(label), tuple(answer), columns)


def cell(
    method: str,
    seed: int,
    of: Task,
    labels: Sequence[Any],
    answers: Sequence[Any],
    **changes: Any,
) -> Cell:
    """A complete cell with its score and its answers."""
    objective = get_objective(of.objective)
    metrics = scores(of, labels, answers)
    record = replace(
        result(of.name, method, seed),
        metric=objective.metric_name(of),
        metrics=metrics,
        score=objective.mean_score(of, metrics),
        train_seconds=10.0,
        test_examples=len(labels),
    )
    return Cell(replace(record, **changes), predictions=stored(of, labels, answers))


def cells(
    right: dict[str, np.ndarray[Any, Any]], labels: np.ndarray[Any, Any] | None = None
) -> list[Cell]:
    """Cells scored by accuracy: method → which examples each seed answers right (S N)."""
    made = []
    for method, seeds in right.items():
        truth = np.arange(seeds.shape[1]) % 2 if labels is None else labels
        for seed, hits in enumerate(seeds):
            answers = np.where(hits, truth, 1 - truth)
            made.append(cell(method, seed, task(["accuracy"]), truth.tolist(), answers.tolist()))
    return made
