"""All that terminal, page, Markdown, CSV, JSON and MLflow say of a comparison.

`analysing.py` computes it. What renders it adds no numbers and draws no conclusions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..records import Comparison, Status
from .budgets import Budget
from .calibration import Calibration
from .cells import Cell
from .classes import ClassScores
from .column import Column, View
from .columns import in_view
from .conclusion import Conclusion
from .disagreements import Disagreements
from .facts import Chosen
from .lab import Lab
from .leaders import Average, Leaders
from .ledger import Comparable
from .rows import Row, tally_line
from .searches import SearchSpread
from .studies import StudyAnalysis

if TYPE_CHECKING:
    from .claims import Checked, SizeCurve
    from .verdict import Across, Draws, Judged


@dataclass(frozen=True)
class TaskAnalysis:
    """What is shown of one task."""

    task: str
    metric: str
    """The name of the score; empty while no cell has one."""
    source: str
    """Where the data comes from."""
    rows: tuple[Row, ...]
    leaders: Leaders | None
    """None while no trained row has a score, and where budgets are unequal."""
    margin_line: str
    """What the test examples of one seed leave open, or how groups are read; may be empty."""
    notes: tuple[str, ...]
    """What a reader should know of the data."""
    chosen: tuple[Chosen, ...]
    """The hyperparameters of each method's best trial."""
    classes: tuple[ClassScores, ...]
    """Each class under each method; none without stored answers or where answers are no classes."""
    calibrations: tuple[Calibration, ...]
    """Each method's calibration; none without stored probabilities."""
    disagreements: Disagreements | None
    """Examples that one method gets right and another wrong; none without two methods' classes."""
    published: tuple[Comparable, ...]
    """Published figures of the same backbone, task and methods; mostly none."""
    all_columns: tuple[Column, ...]
    judged: Judged | None
    """What seeds and test examples say of every pair of methods; none without stored answers."""
    draws: Draws | None
    """What the methods might have scored and cost on other seeds and test examples; none without
    stored answers."""
    conclusion: Conclusion | None
    """The same of the method with the highest score; none where the pairs cannot say."""
    unranked: tuple[str, ...] = ()
    """Methods whose scores do not compare with the others': by metric, test rows or answers."""
    unequal_budgets: str = ""
    """Why the methods are not ranked, in a sentence; empty where they had equal budgets."""
    equal_budgets: str = ""
    """Which budget all of them had, in a sentence; empty where it is not so or not known."""
    studies: tuple[StudyAnalysis, ...] = ()
    """The search of each method; in a cross-validation one a fold."""
    searches: tuple[SearchSpread, ...] = ()
    """How far the winners of several searches differ; none where each method was searched once."""
    budgets: tuple[Budget, ...] = ()
    """What each of them may use, and what it took."""

    def columns(self, view: View) -> list[Column]:
        """The columns that a view shows of this task, from left to right.

        A metric that is the task's score already, or that no row has, is left out, and so are
        groups where no seeds tell methods apart, and optional costs that were not measured.
        """
        there = {name for row in self.rows for name in (*row.values, *row.texts)}
        return [
            column
            for column in in_view(self.all_columns, view)
            if column.name == "score"
            or not (column.quality or column.optional)
            or (column.name in there and not (column.quality and column.name == self.metric))
        ]

    def heading(self, column: Column) -> str:
        """What stands above a column: the score is called by the task's own metric."""
        return (self.metric or column.title) if column.name == "score" else column.title

    def is_best(self, row: Row) -> bool:
        """Whether a row has the task's highest score; equal scores share it."""
        return self.leaders is not None and row in self.leaders.rows


@dataclass(frozen=True)
class Analysis:
    """What is shown of a comparison."""

    comparison: Comparison
    """The records; the folds of a file are one task."""
    columns: tuple[Column, ...]
    """Every column that some view shows of these cells."""
    cells: tuple[Cell, ...]
    """Every planned cell."""
    studies: tuple[StudyAnalysis, ...]
    """Every planned search with its trials."""
    tasks: tuple[TaskAnalysis, ...]
    overview: tuple[Average, ...]
    """Each method over all tasks."""
    across: Across | None
    """What all tasks together say; none for one task, one method, or without stored answers."""
    tally: Mapping[Status, int]
    """How many cells ended in each way."""
    title: str
    """What was compared: "8 methods on 5 tasks"."""
    leaders: str
    """Which methods have the highest scores, in one sentence."""
    doubts: str
    """How far that can be trusted; empty while nothing is complete."""
    budget: str
    """How much the numbers rest on: "one seed, barely tuned (2 trials)"."""
    barely_tuned: bool
    sources: Mapping[str, tuple[str, ...]]
    """Data source → the tasks that come from it."""
    facts: tuple[tuple[str, str], ...]
    """What is needed to judge or repeat the comparison, by name, in reading order."""
    reading: tuple[tuple[str, str], ...]
    """What the columns mean, by heading."""
    claims: tuple[Checked, ...] = ()
    """What the runs of the whole folder say of the literature's claims; none where not asked."""
    sizes: tuple[SizeCurve, ...] = ()
    """Scores by training examples, of all runs of the folder; none where no method has several."""
    lab: Lab = field(default_factory=Lab)
    """What the cost lab measured on the backbone; empty where it measured nothing."""

    @property
    def searched_only(self) -> bool:
        """Whether these are studies by themselves, whose winners were neither trained nor tested.

        Then the trials are what there is to show.
        """
        return bool(self.studies) and not self.cells

    @property
    def ranked(self) -> bool:
        """Whether the methods may be ranked over all tasks: their budgets were equal everywhere."""
        return not any(task.unequal_budgets for task in self.tasks)

    @property
    def answer(self) -> str:
        """Leaders and doubts: one short paragraph."""
        return " ".join(filter(None, (self.leaders, self.doubts)))

    @property
    def left_out(self) -> str:
        """What was asked for and is not there, with the reasons; empty where all is there."""
        return "; ".join(f"{name}: {why}" for name, why in self.comparison.left_out.items())

    @property
    def tally_line(self) -> str:
        """The plan as a sum: "16 planned = 15 complete + 0 diverged + …"."""
        return tally_line(self.tally)
