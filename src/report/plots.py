"""The drawings of the page: score against cost, and how the training loss fell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import Analysis, TaskAnalysis
from ..analysis.format import score as score_text
from ..analysis.format import significant, thousands
from ..analysis.rows import Row
from ..analysis.studies import StudyAnalysis
from ..records import Result, Trial
from .drawing import canvas, document, look, tick
from .labels import lines, names
from .svg import INK, LINE, PAPER, SERIES, embed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vp<>"

Point = tuple[Row, float, float]
"""A method's row, its cost and its score."""


def series(methods: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Method → the number of its colour and its marker, the same in every drawing of the page."""
    # The ninth method has the first one's colour again, and another marker.
    return {
        method: (i % len(SERIES), MARKERS[(i + i // len(SERIES)) % len(MARKERS)])
        for i, method in enumerate(methods)
    }


def against_parameters(analysis: Analysis, task: TaskAnalysis, name: str) -> str | None:
    """Score against trained weights (log scale); none where fewer than two points are known."""
    # The head is counted: head-only training has no other weights, and a log scale has no zero.
    label = "trained weights, head included (log scale)"
    return _pareto(analysis, task, name, "trainable_params_with_head", label)


def against_latency(analysis: Analysis, task: TaskAnalysis, name: str) -> str | None:
    """Score against the milliseconds of one text; none where fewer than two points are known."""
    # The column of the tables, which compares: milliseconds of different moments do not.
    return _pareto(analysis, task, name, "latency_ms", "latency of one text, ms", log=False)


def curves(analysis: Analysis, task: TaskAnalysis, name: str) -> str | None:
    """Training loss by optimizer step, one line for each seed; none where nothing was logged."""
    of_task = [cell for cell in analysis.cells if cell.task == task.task]
    logged = [(cell.result, cell.fold) for cell in of_task if cell.result.curve.steps]
    if not logged:
        return None
    hover, looks = {}, series(analysis.comparison.methods)
    with look():
        figure, axes = canvas("optimizer step", "training loss")
        for i, (result, fold) in enumerate(logged):
            colour = _colour(looks, result.method)
            axes.plot(*_line(result), color=colour, linewidth=1.4, alpha=0.9, gid=f"curve{i}")
            where = "" if fold is None else f"fold {fold.number}, "
            hover[f"curve{i}"] = f"{result.method}, {where}seed {result.seed}"
        return embed(document(figure), name, f"Training loss by step on {task.task}", hover)


def trial_curves(study: StudyAnalysis, name: str) -> str | None:
    """Training loss by optimizer step, one line for each trial; none where nothing was logged."""
    logged = [trial for trial in study.trials if trial.curve.steps]
    if not logged:
        return None
    hover = {}
    with look():
        figure, axes = canvas("optimizer step", "training loss")
        for i, trial in enumerate(logged):
            colour, width = SERIES[i % len(SERIES)], 2.4 if trial is study.best else 1.2
            axes.plot(*_line(trial), color=colour, linewidth=width, alpha=0.9, gid=f"curve{i}")
            best = ", the best" if trial is study.best else ""
            hover[f"curve{i}"] = f"trial {trial.number}{best}"
        return embed(document(figure), name, f"Training loss by step of {study.name}", hover)


def scores_by_trial(study: StudyAnalysis, name: str) -> str | None:
    """Validation score by trial, the best so far as a line; none for fewer than two trials."""
    points = [(t.number, t.score) for t in study.trials if t.score is not None]
    if len(points) < 2:
        return None
    best = list(itertools.accumulate((value for _, value in points), max))
    hover = {}
    with look():
        metric = study.study.metric or "score"
        figure, axes = canvas("trial", f"validation {metric}")
        axes.step([n for n, _ in points], best, where="post", color=LINE, linewidth=1.6)
        for i, (number, value) in enumerate(points):
            axes.plot([number], [value], "o", color=SERIES[0], markersize=6, gid=f"point{i}")
            hover[f"point{i}"] = f"trial {number}: {score_text(value)}"
        return embed(document(figure), name, f"Validation score by trial of {study.name}", hover)


def _line(result: Result | Trial) -> tuple[Sequence[int], Sequence[float]]:
    """The points of a curve that have both coordinates."""
    length = min(len(result.curve.steps), len(result.curve.loss))
    return result.curve.steps[:length], result.curve.loss[:length]


def _colour(looks: dict[str, tuple[int, str]], method: str) -> str:
    """The stand-in for the method's colour."""
    return SERIES[looks[method][0]] if method in looks else INK


def _pareto(
    analysis: Analysis,
    task: TaskAnalysis,
    name: str,
    column: str,
    label: str,
    log: bool = True,
) -> str | None:
    """Methods as points, references as lines, the best trade-offs joined: up and left is better."""
    costs = [(row, row.value(column)) for row in task.rows]
    points = [
        (row, float(cost), row.score.value)
        for row, cost in costs
        if row.trained and row.score is not None and cost is not None and (cost > 0 or not log)
    ]
    if len(points) < 2:
        return None
    levels = [(r.name, r.score.value) for r, _ in costs if not r.trained and r.score is not None]
    with look():
        figure, axes = canvas(label, points[0][0].metric or "score")
        if log:
            axes.set_xscale("log", subs=[])
            axes.xaxis.set_major_formatter(lambda value, _: tick(value))
        axes.margins(x=0.12, y=0.14)
        if not task.unequal_budgets:
            best = unbeaten([(cost, value) for _, cost, value in points])
            axes.plot(*zip(*best, strict=True), color=LINE, linewidth=1.6, zorder=1)
        lines(axes, levels)
        hover = _points(axes, points, series(analysis.comparison.methods), label)
        names(axes, [(row.name, cost, value) for row, cost, value in points], levels)
        return embed(document(figure), name, f"Score against {label} on {task.task}", hover)


def _points(
    axes: Axes, points: Sequence[Point], looks: dict[str, tuple[int, str]], label: str
) -> dict[str, str]:
    """Draw the points, with a bar for the spread over seeds; give the hover text of each."""
    hover = {}
    for i, (row, cost, value) in enumerate(points):
        colour = _colour(looks, row.name)
        spread = row.score.spread if row.score is not None else None
        if spread is not None:
            axes.errorbar(cost, value, yerr=spread, color=colour, linewidth=1)
        axes.plot(
            [cost], [value], color=colour, marker=looks.get(row.name, (0, "o"))[1], markersize=7,
            linestyle="none", markeredgecolor=PAPER, markeredgewidth=0.8, zorder=3, gid=f"point{i}",
        )  # fmt: skip
        paid = thousands(cost) if cost >= 1000 else significant(cost)
        quality = f"{row.name}: {row.metric} {score_text(value, spread)}"
        hover[f"point{i}"] = f"{quality}; {label}: {paid}"
    return hover


def unbeaten(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, score) points that no other one beats in both (Pareto front), cheapest first."""
    kept: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not kept or value > kept[-1][1]:
            kept.append((cost, value))
    return kept
