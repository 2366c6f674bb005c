"""A run that was trained here, found again: by its cell's name, its MLflow run id, or as `best`.

Everything is read from the store and from `results.csv` beside it; no server is asked.
"""

from __future__ import annotations

import csv
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ..errors import UnknownName, UserError
from ..records import Result
from ..text import plural, quoted
from .store import Plan, Store, require_plan

BEST = "best"
"""Means the leading method of the last comparison."""
DECIMALS = 3
"""Digits of a score in the tables: methods whose scores agree in them share the first place."""


@dataclass(frozen=True)
class Run:
    """What was trained, and on what."""

    adapter: Path
    backbone: str
    layers: int | None
    pooling: str
    digest: str
    """Of the backbone's weights."""
    result: Result
    """The run's row."""
    experiment: Mapping[str, Any]
    """The resolved settings of its comparison, as plain data."""
    notes: tuple[str, ...] = ()
    """What to tell of the choice, where `best` was asked for."""


def find_run(out: Path, name: str, task: str | None = None) -> Run:
    """A run's adapter and the backbone it was trained on.

    Args:
        out: The folder of results.
        name: A cell's name, the MLflow run id of a cell of the last report, or `best`.
        task: Whose best is meant, where the last comparison has several tasks.

    Raises:
        UserError: There is no such run, it did not complete, or its files are damaged.
    """
    store = Store(out)
    experiments: dict[str, Mapping[str, Any]] = {
        planned.cell: plan.experiment for plan in store.plans() for planned in plan.cells
    }
    cell, notes = name, tuple[str, ...]()
    if name == BEST:
        cell, notes = _best(store, task)
    elif task is not None:
        raise UserError(f"--task goes with '{BEST}': the run '{name}' has its own")
    elif name not in experiments:
        cell = _cells_by_mlflow_id(out).get(name, name)
    if not experiments:
        raise UserError(
            f"no run {quoted(name)}: there is none in '{out}' yet, so run `tunebench compare` first"
        )
    if cell not in experiments:
        raise UnknownName(f"run in '{out}':", name, (*experiments, BEST))
    result = store.result(cell)
    if result is None:
        raise UserError(
            f"run '{cell}' in '{out}' is not there whole: its comparison makes it again"
        )
    if not result.adapter:
        raise UserError(f"run '{cell}' in '{out}' has no adapter: it ended as '{result.status}'")
    backbone = experiments[cell]["backbone"]
    return Run(
        out / result.adapter,
        backbone["name"],
        backbone["layers"],
        backbone["pooling"],
        result.backbone_digest,
        result,
        experiments[cell],
        notes,
    )


def _best(store: Store, task: str | None) -> tuple[str, tuple[str, ...]]:
    """The first complete cell of the method with the highest mean score, and why it was taken."""
    plan = require_plan(store)
    # The folds of a file are one task, as in the tables.
    named = {each: plan.folds[each].task if each in plan.folds else each for each in plan.tasks}
    tasks = tuple(dict.fromkeys(named.values()))
    if task is None and len(tasks) > 1:
        raise UserError(
            f"the last comparison in '{store.out}' has several tasks, so say which one's best is "
            f"meant: --task {tasks[0]} (tasks: {', '.join(tasks)})"
        )
    if task is not None and task not in tasks:
        raise UnknownName("task of the last comparison", task, tasks)
    task = task or tasks[0]
    cells: dict[str, list[Result]] = {}
    for planned in plan.cells:
        result = store.result(planned.cell) if named.get(planned.task) == task else None
        if result is not None and result.score is not None and result.adapter:
            cells.setdefault(planned.method, []).append(result)
    if not cells:
        raise UserError(f"no run of '{task}' in '{store.out}' is complete")
    # As in the tables: a method's score is the mean over its seeds and folds.
    scores = {method: fmean(cell.score or 0.0 for cell in row) for method, row in cells.items()}
    top = f"{max(scores.values()):.{DECIMALS}f}"
    leaders = [method for method in scores if f"{scores[method]:.{DECIMALS}f}" == top]
    chosen = cells[leaders[0]][0]
    notes = [f"best on {task}: {chosen.cell} ({chosen.metric} {top})"]
    mine = [each for each in plan.tasks if named[each] == task]
    if budgets := _unequal_budgets(store, plan, scores, mine):
        notes.append(
            f"budgets of tuning were not equal ({budgets}), so that the highest score ranks nothing"
        )
    if fold := plan.folds.get(chosen.task):
        notes.append(
            f"its fold, {fold.number} of {fold.count}, was trained without {chosen.test_examples} "
            f"test rows; the score is the mean over all folds"
        )
    if len(leaders) > 1:
        notes.append(f"equal leaders, of which the first is taken: {', '.join(leaders)}")
    return chosen.cell, tuple(notes)


def _unequal_budgets(
    store: Store, plan: Plan, methods: Iterable[str], tasks: Container[str]
) -> str:
    """What methods' searches on a task were planned with, where that differs; else empty.

    One comparison has the same examples and epochs for all, so that trials are what can differ.
    """
    counts: dict[str, set[int]] = {method: set() for method in methods}
    for study in plan.studies:
        if study.method in counts and study.task in tasks:
            recorded = len(store.all_trials(study.study))
            counts[study.method].add(study.trials or recorded)
    known = {method: sorted(each) for method, each in counts.items() if any(each)}
    if len(set(map(tuple, known.values()))) < 2:
        return ""
    return ", ".join(
        f"{method} {' and '.join(plural(count, 'trial') for count in each)}"
        for method, each in known.items()
    )


def _cells_by_mlflow_id(out: Path) -> dict[str, str]:
    """MLflow run id → cell, as the last report wrote them; empty where there is no such file."""
    try:
        with (out / "results.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    pairs = ((row.get("mlflow_run_id"), row.get("cell")) for row in rows)
    return {identity: cell for identity, cell in pairs if identity and cell}
