"""The drawings of the page: score against cost, and how the training loss fell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..analysis import words
from ..analysis.rows import Row, cells, rows
from ..records import Comparison, Result
from .drawing import canvas, document, look, tick
from .labels import lines, names
from .svg import INK, LINE, PAPER, SERIES, embed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vp<>"

Point = tuple[Row, float, float]
"""A method's row, its cost and its score."""


def series(comparison: Comparison) -> dict[str, tuple[int, str]]:
    """Method → the number of its colour and its marker, the same in every drawing of the page."""
    # The ninth method has the first one's colour again, and another marker.
    return {
        method: (i % len(SERIES), MARKERS[(i + i // len(SERIES)) % len(MARKERS)])
        for i, method in enumerate(comparison.methods)
    }


def against_parameters(comparison: Comparison, task: str, name: str) -> str | None:
    """Score against trained weights (log scale); none where fewer than two points are known."""
    # The head is counted: head-only training has no other weights, and a log scale has no zero.
    costs = [(row, row.trainable_params_with_head) for row in rows(comparison, task)]
    return _pareto(comparison, task, name, costs, "trained weights, head included (log scale)")


def against_latency(comparison: Comparison, task: str, name: str) -> str | None:
    """Score against the milliseconds of one text; none where fewer than two points are known."""
    costs = [(row, row.latency_ms) for row in rows(comparison, task)]
    return _pareto(comparison, task, name, costs, "latency of one text, ms", log=False)


def curves(comparison: Comparison, task: str, name: str) -> str | None:
    """Training loss by optimizer step, one line for each seed; none where nothing was logged."""
    own = [r for r in cells(comparison) if r.task == task and r.curve.steps]
    if not own:
        return None
    hover, looks = {}, series(comparison)
    with look():
        figure, axes = canvas("optimizer step", "training loss")
        for i, result in enumerate(own):
            colour = _colour(looks, result.method)
            axes.plot(*_line(result), color=colour, linewidth=1.4, alpha=0.9, gid=f"curve{i}")
            hover[f"curve{i}"] = f"{result.method}, seed {result.seed}"
        return embed(document(figure), name, f"Training loss by step on {task}", hover)


def _line(result: Result) -> tuple[Sequence[int], Sequence[float]]:
    """The points of a curve that have both coordinates."""
    length = min(len(result.curve.steps), len(result.curve.loss))
    return result.curve.steps[:length], result.curve.loss[:length]


def _colour(looks: dict[str, tuple[int, str]], method: str) -> str:
    """The stand-in for the method's colour."""
    return SERIES[looks[method][0]] if method in looks else INK


def _pareto(
    comparison: Comparison,
    task: str,
    name: str,
    costs: Sequence[tuple[Row, float | None]],
    label: str,
    log: bool = True,
) -> str | None:
    """Methods as points, references as lines, the front joined: up and left is better."""
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
        front = _front([(cost, value) for _, cost, value in points])
        axes.plot(*zip(*front, strict=True), color=LINE, linewidth=1.6, zorder=1)
        lines(axes, levels)
        hover = _points(axes, points, series(comparison), label)
        names(axes, [(row.name, cost, value) for row, cost, value in points], levels)
        return embed(document(figure), name, f"Score against {label} on {task}", hover)


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
        paid = words.thousands(cost) if cost >= 1000 else words.significant(cost)
        told = f"{row.name}: {row.metric} {words.score(value, spread)}"
        hover[f"point{i}"] = f"{told}; {label}: {paid}"
    return hover


def _front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both cost and score, cheapest first."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or value > front[-1][1]:
            front.append((cost, value))
    return front
