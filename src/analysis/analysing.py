"""`analyse`: one comparison, and all that is shown of it, computed once for every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..records import Comparison
from . import facts as known
from . import summary
from .analysis import Analysis, TaskAnalysis
from .budgets import budgets, equal, search_texts, unequal
from .calibration import calibrations
from .calibration_error import ErrorReader
from .cells import Cell, cells_of
from .classes import class_scores
from .column import Column
from .columns import columns_for
from .conclusion import LETTERS, conclusion
from .disagreements import disagreements
from .folds import as_one_task
from .lab import Lab
from .leaders import averages, leaders, margin_line
from .ledger import comparable
from .predictions import PredictionReader
from .retention import with_forgetting
from .rows import rows, tally
from .searches import search_spreads
from .studies import StudyAnalysis, studies_of, study_analyses
from .training_cost import with_targets

if TYPE_CHECKING:
    from .claims import Checked, SizeCurve
    from .leaders import Average
    from .verdict import Across, Draws, Judged, Resampled


def analyse(
    comparison: Comparison,
    predictions: PredictionReader | None = None,
    calibration: ErrorReader | None = None,
    claims: tuple[Checked, ...] = (),
    sizes: tuple[SizeCurve, ...] = (),
    lab: Lab | None = None,
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
        lab: What the cost lab measured on the folder's backbone.
    """
    cells = cells_of(comparison, predictions, calibration)
    cells = with_forgetting(with_targets(cells, comparison), comparison)
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
    intervals = _intervals(cells, scores)
    cells = tuple(
        replace(
            _with_chances(cell, judged[cell.task], draws.get(cell.task)),
            interval=intervals.get((cell.task, cell.result.method)),
        )
        for cell in cells
    )
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
    over_all = _overall(comparison, cells, columns, studies, tasks, scores)
    return replace(over_all, claims=claims, sizes=sizes, lab=lab or Lab())


def _overall(
    comparison: Comparison,
    cells: tuple[Cell, ...],
    columns: tuple[Column, ...],
    studies: tuple[StudyAnalysis, ...],
    tasks: tuple[TaskAnalysis, ...],
    scores: Mapping[str, Resampled],
) -> Analysis:
    """What all tasks together show, and what the report begins with."""
    tables = [task.rows for task in tasks]
    apart = [task.unequal_budgets for task in tasks]
    overview = averages(comparison.methods, tables, [task.unranked for task in tasks])
    over_all = None if any(apart) else _across(comparison, overview, scores)
    tops = [task.leaders for task in tasks]
    shown = {
        column.name
        for task in tasks
        for column in (*task.columns("page"), *task.columns("page_training"))
    }
    pairs = [task.conclusion for task in tasks]
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
        leaders=summary.leaders_sentence(comparison, tops, overview, pairs, over_all, apart),
        doubts=summary.doubts(comparison, tops, overview, tables, pairs),
        budget=summary.budget(comparison),
        barely_tuned=summary.is_barely_tuned(comparison),
        sources=summary.sources(comparison),
        facts=known.facts(comparison, cells),
        reading=known.reading(one for one in columns if not one.optional or one.name in shown),
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


def _intervals(
    cells: tuple[Cell, ...], scores: Mapping[str, Resampled]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Task and method → the interval of its score, where more than one cell was trained for it."""
    if not scores:
        return {}
    from .verdict import interval_of

    done = [cell for cell in cells if cell.result.status == "complete"]
    trained = Counter((cell.task, cell.result.method) for cell in done)
    metrics = {(cell.task, cell.result.method): cell.result.metric for cell in done}
    drawn = {one: scores[one[0]].of(one[1]) for one, count in trained.items() if count > 1}
    return {one: interval_of(of, metrics[one]) for one, of in drawn.items() if of is not None}


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
