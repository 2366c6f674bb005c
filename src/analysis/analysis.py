"""`analyse`: one comparison, and all that terminal, page, Markdown, CSV, JSON and MLflow say of it.

It is computed once for a report. What renders it adds no numbers and draws no conclusions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..records import Comparison, Status
from . import facts as known
from . import summary
from .budgets import Budget, budgets, equal, search_texts, unequal
from .calibration import Calibration, calibrations
from .calibration_error import ErrorReader
from .cells import Cell, cells_of
from .classes import ClassScores, class_scores
from .columns import Column, View, columns_for, in_view
from .conclusion import LETTERS, Conclusion, conclusion
from .disagreements import Disagreements, disagreements
from .folds import as_one_task
from .leaders import Average, Leaders, averages, leaders, margin_line
from .ledger import Comparable, comparable
from .predictions import PredictionReader
from .rows import Row, rows, tally, tally_line
from .searches import SearchSpread, search_spreads
from .studies import StudyAnalysis, studies_of, study_analyses

if TYPE_CHECKING:
    from .claims import Checked, SizeCurve
    from .verdict import Across, Draws, Judged, Resampled


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
    chosen: tuple[known.Chosen, ...]
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

        A metric that is the task's score already, or that no row has, is left out, and groups
        where no seeds tell methods apart.
        """
        return [
            column
            for column in in_view(self.all_columns, view)
            if not column.quality
            or column.name == "score"
            or (
                column.name != self.metric
                and any(column.name in {*row.values, *row.texts} for row in self.rows)
            )
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


def analyse(
    comparison: Comparison,
    predictions: PredictionReader | None = None,
    calibration: ErrorReader | None = None,
    claims: tuple[Checked, ...] = (),
    sizes: tuple[SizeCurve, ...] = (),
) -> Analysis:
    """Compute everything that is shown of a comparison.

    Args:
        comparison: What was planned and what is there of it.
        predictions: Reads a cell's stored answers, such as `read_from(out)`. Without it nothing is
            shown that needs them.
        calibration: Gives a cell's calibration error without its answers; by default it is
            computed from these.
        claims: What the folder's runs say of the literature's claims, as it is shown.
        sizes: The folder's scores by training examples, as they are shown.
    """
    cells = cells_of(comparison, predictions, calibration)
    comparison = as_one_task(comparison)
    columns = columns_for(cells)
    studies = study_analyses(comparison)
    spent = budgets(comparison)
    texts = {task: search_texts(spent, task) for task in comparison.tasks}
    apart = {task: unequal(texts[task]) for task in comparison.tasks}
    judged = _judged(comparison, cells, texts, judging=predictions is not None)
    scores = _resampled(comparison, cells, judging=predictions is not None)
    # Methods of unequal budgets are not ranked, nor set against each other's costs.
    draws = {task: one for task, one in _draws(cells, scores).items() if not apart[task]}
    cells = tuple(_with_chances(cell, judged[cell.task], draws.get(cell.task)) for cell in cells)
    tasks = tuple(
        replace(
            _task(comparison, task, cells, columns, judged[task], draws.get(task), apart[task]),
            studies=studies_of(studies, task),
            budgets=tuple(one for one in spent if one.task == task),
            equal_budgets=equal(spent, task),
            searches=search_spreads(cells, task),
        )
        for task in judged
    )
    tables = [task.rows for task in tasks]
    overview = averages(comparison.methods, tables, [task.unranked for task in tasks])
    over_all = None if any(apart.values()) else _across(comparison, overview, scores)
    tops = [task.leaders for task in tasks]
    known_pairs = [task.conclusion for task in tasks]
    return Analysis(
        comparison=comparison,
        columns=columns,
        cells=cells,
        studies=studies,
        tasks=tasks,
        overview=overview,
        across=over_all,
        tally=tally(cells),
        title=summary.title(comparison),
        leaders=summary.leaders_sentence(
            comparison, tops, overview, known_pairs, over_all, list(apart.values())
        ),
        doubts=summary.doubts(comparison, tops, overview, tables, known_pairs),
        budget=summary.budget(comparison),
        barely_tuned=summary.is_barely_tuned(comparison),
        sources=summary.sources(comparison),
        facts=known.facts(comparison, cells),
        reading=known.reading(columns),
        claims=claims,
        sizes=sizes,
    )


def _judged(
    comparison: Comparison,
    cells: tuple[Cell, ...],
    texts: Mapping[str, Mapping[str, str]],
    *,
    judging: bool,
) -> dict[str, Judged | None]:
    """Task → its verdict; none without stored answers."""
    if not judging:
        return dict.fromkeys(comparison.tasks)
    from .verdict import judge  # numpy, which the terminal's table need not wait for

    return {task: judge(comparison, cells, task, texts[task]) for task in comparison.tasks}


def _task(
    comparison: Comparison,
    task: str,
    cells: tuple[Cell, ...],
    columns: tuple[Column, ...],
    judged: Judged | None,
    draws: Draws | None,
    unequal_budgets: str,
) -> TaskAnalysis:
    """What is shown of one task."""
    table = rows(comparison, task, cells, columns)
    scored = [row.name for row in table if row.trained and row.score is not None]
    ranked = scored if judged is None else judged.verdict.rankable(scored)
    unranked = tuple(name for name in scored if name not in ranked)
    ranked_rows = [row for row in table if row.name not in unranked]
    top = None if unequal_budgets else leaders(ranked_rows)
    concluded = None if unequal_budgets else conclusion(comparison, table, top, judged)
    letters = LETTERS if judged is not None and judged.verdict.letters else ""
    return TaskAnalysis(
        task=task,
        metric=table[0].metric if table else "",
        source=comparison.sources.get(task, "unknown data"),
        rows=table,
        leaders=top,
        # The half-width of one method says less than its pairs, and may seem to say otherwise.
        margin_line=f"{unequal_budgets} {letters}".strip()
        if unequal_budgets
        else (margin_line(top) if concluded is None else letters),
        notes=comparison.notes.get(task, ()),
        chosen=known.chosen(cells, task),
        classes=class_scores(cells, task),
        calibrations=calibrations(cells, task),
        disagreements=disagreements(cells, task),
        published=comparable(cells, task),
        all_columns=columns,
        judged=judged,
        draws=draws,
        conclusion=concluded,
        unranked=unranked,
        unequal_budgets=unequal_budgets,
    )


def _resampled(
    comparison: Comparison, cells: tuple[Cell, ...], *, judging: bool
) -> dict[str, Resampled]:
    """Task → its scores drawn anew; none without stored answers."""
    if not judging:
        return {}
    from .verdict import resampled

    return {task: resampled(cells, task) for task in comparison.tasks}


def _draws(cells: tuple[Cell, ...], scores: Mapping[str, Resampled]) -> dict[str, Draws]:
    """Task → scores and costs of its methods, drawn anew."""
    if not scores:
        return {}
    from .verdict import draws_of

    return {task: draws_of(cells, task, of_task) for task, of_task in scores.items()}


def _across(
    comparison: Comparison, overview: tuple[Average, ...], scores: Mapping[str, Resampled]
) -> Across | None:
    """What all tasks together say; none without stored answers."""
    if not scores:
        return None
    from .verdict import across

    return across(comparison.tasks, overview, scores)


def _with_chances(cell: Cell, judged: Judged | None, draws: Draws | None) -> Cell:
    """The cell with its method's letters, and its chance to be on the front."""
    letters = "" if judged is None else judged.verdict.letters.get(cell.result.method, "")
    chance = None if draws is None else draws.membership.get(cell.result.method)
    return replace(cell, group=letters, on_front=chance) if letters or chance is not None else cell
