"""Small drawings side by side on the same scales, written by hand: one each would cost a second."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..analysis.format import significant
from .drawing import tick
from .markup import Markup, element, join

WIDTH, HEIGHT = 220.0, 130.0
"""Of a drawing, in its own units; the page makes it as wide as there is room."""
LEFT, RIGHT, TOP, BOTTOM = 34.0, 214.0, 8.0, 112.0
"""Where its axes are."""

Point = tuple[float, float]


class Scale(NamedTuple):
    """What the ends of an axis stand for."""

    low: float
    high: float
    logarithmic: bool = False
    """Whether equal steps are equal factors; then both ends are above 0."""

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1; in the middle where both ends are equal."""
        if self.high <= self.low:
            return 0.5
        at, low, high = (value, self.low, self.high)
        if self.logarithmic:
            at, low, high = math.log(max(at, low)), math.log(low), math.log(high)
        return min(1.0, max(0.0, (at - low) / (high - low)))


@dataclass(frozen=True)
class Line:
    """Points that are joined."""

    points: Sequence[Point]
    hover: str
    kind: str = "line"
    """A class of the page's style: `line`, `thin` or `level`."""


def scale_of(values: Sequence[float]) -> Scale:
    """A scale that holds all values."""
    return Scale(min(values), max(values))


def panel(
    caption: str,
    lines: Sequence[Line],
    x: Scale,
    y: Scale,
    label: str,
    colour: int,
    between: tuple[Sequence[Point], Sequence[Point]] | None = None,
) -> Markup:
    """One drawing under its caption.

    Args:
        caption: What it is of.
        lines: Drawn in this order.
        x: The scale of the horizontal axis.
        y: The scale of the vertical one.
        label: What the drawing shows, for those who do not see it.
        colour: The number of the series' colour.
        between: Lower and upper edge of a band behind the lines.
    """
    parts = [
        element("line", x1=_n(LEFT), x2=_n(RIGHT), y1=_n(edge), y2=_n(edge), class_="grid")
        for edge in (TOP, BOTTOM)
    ]
    if between is not None:
        low, high = between
        parts.append(element("polygon", points=_path([*low, *reversed(high)], x, y), class_="band"))
    for line in lines:
        title = element("title", line.hover)
        if len(line.points) == 1:
            ((at, value),) = line.points
            where = (_n(_x(at, x)), _n(_y(value, y)))
            parts.append(element("circle", title, cx=where[0], cy=where[1], r="2.5"))
        else:
            parts.append(
                element("polyline", title, points=_path(line.points, x, y), class_=line.kind)
            )
    parts += [
        _text(LEFT - 4, TOP + 4, significant(y.high), "end"),
        _text(LEFT - 4, BOTTOM + 2, significant(y.low), "end"),
        _text(LEFT, BOTTOM + 13, tick(x.low), "start"),
        _text(RIGHT, BOTTOM + 13, tick(x.high), "end"),
    ]
    drawing = element(
        "svg",
        *parts,
        viewBox=f"0 0 {_n(WIDTH)} {_n(HEIGHT)}",
        role="img",
        aria_label=label,
        class_="multiple",
        style=f"--key: var(--series-{colour})",
    )
    return element("figure", element("figcaption", caption), drawing)


def grid(panels: Sequence[Markup], under: str) -> Markup:
    """The drawings side by side, as many as fit, and a line under them; nothing without any."""
    if not panels:
        return Markup()
    return join(element("div", *panels, class_="multiples"), element("p", under, class_="under"))


def _path(points: Sequence[Point], x: Scale, y: Scale) -> str:
    return " ".join(f"{_n(_x(at, x))},{_n(_y(value, y))}" for at, value in points)


def _x(value: float, scale: Scale) -> float:
    return LEFT + (RIGHT - LEFT) * scale.share(value)


def _y(value: float, scale: Scale) -> float:
    return BOTTOM - (BOTTOM - TOP) * scale.share(value)


def _text(x: float, y: float, shown: str, anchor: str) -> Markup:
    return element("text", shown, x=_n(x), y=_n(y), text_anchor=anchor)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
