"""Comparisons of which it is known who is better: records and the answers that they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from tunebench.analysis import Analysis, Predictions, analyse
from tunebench.analysis.cells import Cell
from tunebench.records import Comparison, Result

from tests.analysis.verdict.made_up import cells
from tests.records import comparison

TASK = "made-up"
"""The name of the task that made-up cells have."""

SHARES = {"full": 0.79, "lora": 0.8, "head": 0.6}
"""Which part of the examples each method gets right."""


def answered(
    shares: Mapping[str, float], seeds: int = 5, examples: int = 600, noise: float = 0.3
) -> dict[str, np.ndarray[Any, Any]]:
    """Method → right answers (S N): examples are as hard for all, but for noise."""
    generator = np.random.default_rng(0)
    hard = generator.random(examples)
    return {
        method: hard + noise * (generator.random((seeds, examples)) - 0.5) < share
        for method, share in shares.items()
    }


def records_of(made: list[Cell], tasks: tuple[str, ...] = (TASK,), **experiment: Any) -> Comparison:
    """The comparison of these cells; settings of the experiment by name."""
    results = tuple(cell.result for cell in made)
    methods = tuple(dict.fromkeys(result.method for result in results))
    seeds = tuple(sorted({result.seed for result in results}))
    plan = comparison(tasks, methods, seeds)
    return replace(
        plan, results=results, references=(), experiment={**plan.experiment, **experiment}
    )


def reader(made: list[Cell]) -> Any:
    """Reads the answers of these cells."""
    stored = {cell.result.cell: cell.predictions for cell in made}

    def read(result: Result) -> Predictions | None:
        return stored.get(result.cell)

    return read


def analysed(right: Mapping[str, np.ndarray[Any, Any]], **experiment: Any) -> Analysis:
    """The analysis of a comparison on one task: method → which examples each seed gets right."""
    made = cells(dict(right))
    return analyse(records_of(made, **experiment), reader(made))


def renamed(made: list[Cell], task: str) -> list[Cell]:
    """The same cells on a task of another name."""
    return [
        replace(
            cell,
            result=replace(
                cell.result,
                task=task,
                cell=f"{task}-{cell.result.cell}",
                study=f"{task}-{cell.result.study}",
            ),
        )
        for cell in made
    ]


def on_tasks(count: int, seeds: int = 2) -> Analysis:
    """Three methods on so many tasks: head is the last on each, the others change places."""
    names, made = [f"task-{number}" for number in range(count)], []
    right = answered(SHARES, seeds=seeds, examples=120)
    for number, name in enumerate(names):
        moved = {m: hits[:, number : number + 100] for m, hits in right.items()}
        if number % 2:
            moved["full"], moved["lora"] = moved["lora"], moved["full"]
        made += renamed(cells(moved), name)
    return analyse(records_of(made, tuple(names)), reader(made))
