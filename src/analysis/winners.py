"""The one run of each task that is taken where a single model is needed.

It is what `tunebench predict best` takes: the method with the highest mean score, the first of
those that are equal in the table, and of its runs the first that is complete and has an adapter.
"""

from __future__ import annotations

from dataclasses import dataclass

from .analysis import Analysis, TaskAnalysis
from .cells import Cell
from .format import listed
from .leaders import leaders
from .rows import Row


@dataclass(frozen=True)
class Winner:
    """A task's chosen run."""

    task: str
    cell: Cell
    row: Row
    """Its method's row."""
    equals: tuple[str, ...]
    """Other methods whose score is equal in the table."""
    unranked: str
    """Why the methods are not ranked, in a sentence; mostly empty."""

    @property
    def sentence(self) -> str:
        """Who it is, by what, and what that rests on."""
        score, result = self.row.score, self.cell.result
        assert score is not None
        spread = "" if score.spread is None else f" ± {score.spread:.3f}"
        seeds = f" over {self.row.complete} runs" if self.row.complete > 1 else ""
        equal = f", equal to {listed(list(self.equals))}" if self.equals else ""
        text = f"{result.method} with {result.metric} {score.value:.3f}{spread}{seeds}{equal}"
        return f"{text}. {self.unranked}" if self.unranked else text


def winners(analysis: Analysis) -> tuple[Winner, ...]:
    """The chosen run of each task that has one, in the order of the tasks."""
    chosen = (_winner(analysis, task) for task in analysis.tasks)
    return tuple(one for one in chosen if one is not None)


def _winner(analysis: Analysis, task: TaskAnalysis) -> Winner | None:
    """The first complete run of the method that leads, whether or not it is shown to be better."""
    for row in _leading(task):
        for cell in analysis.cells:
            result = cell.result
            of_row = cell.task == task.task and result.method == row.name
            if of_row and result.status == "complete" and result.adapter:
                equals = tuple(one.name for one in _leading(task) if one is not row)
                return Winner(task.task, cell, row, equals, task.unequal_budgets)
    return None


def _leading(task: TaskAnalysis) -> tuple[Row, ...]:
    """The rows with the highest score among those that were trained."""
    top = leaders(task.rows)
    return () if top is None else top.rows
