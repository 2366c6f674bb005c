"""Results by data size: tables and drawings of scores against training examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..analysis.format import listed, score
from ..text import plural
from .markup import Markup, element
from .multiples import Line, Scale, grid, panel, scale_of
from .plots import series
from .tables import frame, heading, number, text

if TYPE_CHECKING:
    from ..analysis.claims import AtSize, SizeCurve

TITLE = "Results by data size"
UNDER_CURVES = (
    "Score against training examples, on a logarithmic scale; the band is the 95 % interval of "
    "each size by itself."
)


def tables_of(analysis: Analysis) -> Sequence[Sequence[SizeCurve]]:
    """The curves that one table holds: those of a task under one protocol."""
    tables: dict[tuple[str, str], list[SizeCurve]] = {}
    for curve in analysis.sizes:
        tables.setdefault((curve.task, curve.protocol), []).append(curve)
    return list(tables.values())


def sizes_of(curves: Sequence[SizeCurve]) -> list[int]:
    """Every number of training examples, the fewest first."""
    return sorted({point.examples for curve in curves for point in curve.points})


def header(curves: Sequence[SizeCurve]) -> tuple[str, ...]:
    """The names of the columns: a method, and a score at each size."""
    return ("method", *(f"{size:,} examples" for size in sizes_of(curves)))


def texts(curve: SizeCurve, sizes: Sequence[int]) -> tuple[str, ...]:
    """A method's line under `header`."""
    points = {point.examples: point for point in curve.points}
    shown = (point_text(points[size]) if size in points else "–" for size in sizes)
    return curve.method, *shown


def point_text(point: AtSize) -> str:
    """A score with its interval."""
    if point.low is None or point.high is None:
        return score(point.score)
    return f"{score(point.score)} ({score(point.low)} to {score(point.high)})"


def under(curves: Sequence[SizeCurve]) -> str:
    """What the table does not say: the metric, what it rests on, and what was left out."""
    points = [point for curve in curves for point in curve.points]
    epochs = {point.examples: point.epochs for point in points}
    trained = listed([f"{size:,} for {plural(epochs[size], 'epoch')}" for size in sizes_of(curves)])
    seeds = sorted({point.seeds for point in points})
    number_of = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    without = " Without an interval: one seed says nothing of another." if seeds[0] == 1 else ""
    noun = "seed" if seeds[-1] == 1 else "seeds"
    return (
        f"{curves[0].metric}, the mean of {number_of} {noun} of each method as it comes, with its "
        f"95 % interval over seeds and test examples; of each size the runs with the most epochs: "
        f"{trained}. Validation examples count, since a winner trains on them too.{without}"
    )


def section(analysis: Analysis) -> Markup:
    """Tables and drawings on the page; nothing where no method ran with several sizes."""
    if not analysis.sizes:
        return Markup()
    parts = [part for curves in tables_of(analysis) for part in _of_task(analysis, curves)]
    folded = element("details", element("summary", TITLE), *parts)
    return element("section", folded, id="sizes")


def _of_task(analysis: Analysis, curves: Sequence[SizeCurve]) -> Iterator[Markup]:
    """A task's table, then a drawing for each method on the same scales."""
    yield element("h3", text(curves[0].task))
    sizes, lines = sizes_of(curves), []
    for curve in curves:
        points = {point.examples: point.score for point in curve.points}
        name, *shown = texts(curve, sizes)
        numbers = [number(points.get(size), each) for size, each in zip(sizes, shown, strict=True)]
        lines.append(element("tr", heading(analysis, name), *numbers))
    yield frame(header(curves), lines, "sortable", text(under(curves)))
    yield _drawings(analysis, curves)


def _drawings(analysis: Analysis, curves: Sequence[SizeCurve]) -> Markup:
    points = [point for curve in curves for point in curve.points]
    ends = [end for one in points for end in (one.low, one.score, one.high) if end is not None]
    y = scale_of(ends)
    x = Scale(sizes_of(curves)[0], sizes_of(curves)[-1], logarithmic=True)
    methods = [*analysis.comparison.methods, *(curve.method for curve in curves)]
    looks = series(tuple(dict.fromkeys(methods)))
    panels = []
    for curve in curves:
        line = Line([(one.examples, one.score) for one in curve.points], _hover(curve))
        low, high = (
            [(one.examples, end) for one in curve.points if (end := getattr(one, side)) is not None]
            for side in ("low", "high")
        )
        band = (low, high) if len(low) == len(curve.points) else None
        label = f"Score by training examples of {text(curve.method)} on {text(curve.task)}"
        colour = looks[curve.method][0]
        panels.append(panel(text(curve.method), [line], x, y, label, colour, band))
    return grid(panels, UNDER_CURVES)


def _hover(curve: SizeCurve) -> str:
    return "; ".join(f"{point.examples:,}: {point_text(point)}" for point in curve.points)
