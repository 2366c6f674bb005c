"""Writes names beside points so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .svg import MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""

SIZE = 8.5
"""Font size in points."""
GAP = 6.5
"""Points between a marker's middle and its name."""
LETTER = 0.62
"""Width of a letter in font sizes, on the wide side: the reader's font is not known here."""


def lines(axes: Axes, levels: Sequence[tuple[str, float]]) -> None:
    """A dashed line at each level, with its name written above its right end."""
    for name, level in levels:
        axes.axhline(level, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            name, (1, level), xycoords=("axes fraction", "data"), xytext=(0, 3), fontsize=7.5,
            textcoords="offset points", ha="right", color=MUTED, parse_math=False,
        )  # fmt: skip


def names(
    axes: Axes,
    points: Sequence[tuple[str, float, float]],
    levels: Sequence[tuple[str, float]],
) -> None:
    """Write each name right, left, above or below its point, where most room is left.

    Args:
        axes: Where the points are drawn already, so that its limits are known.
        points: Name and coordinates of each point.
        levels: Names and heights of the lines that `lines` has drawn.
    """
    limits = axes.get_xlim(), axes.get_ylim()
    axes.set(xlim=limits[0], ylim=limits[1])  # a name must not move the points it is placed by
    scale = 72 / axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # it was just drawn on
    left, bottom, right, top = (edge * scale for edge in axes.bbox.extents)
    middles = [axes.transData.transform((x, y)) * scale for _, x, y in points]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in middles]
    for name, level in levels:
        height = axes.transData.transform((limits[0][0], level))[1] * scale
        taken.append((left, height - 1, right, height + 1))
        taken.append((right - LETTER * 7.5 * len(name), height, right, height + 11))
    for (name, x, y), (across, up) in zip(points, middles, strict=True):
        ways = _ways()
        boxes = [_box(name, across + dx, up + dy, side) for dx, dy, side in ways]
        costs = [_cost(box, taken, (left, bottom, right, top)) for box in boxes]
        best = costs.index(min(costs))
        taken.append(boxes[best])
        dx, dy, side = ways[best]
        axes.annotate(
            name, (x, y), xytext=(dx, dy), textcoords="offset points", fontsize=SIZE,
            ha=side, va="center", parse_math=False, zorder=4,
        )  # fmt: skip


def _ways() -> list[tuple[float, float, str]]:
    """Offsets in points and the side that stays fixed, the most readable first."""
    steps = (0.0, 8.0, -8.0)
    right = [(GAP, dy, "left") for dy in steps]
    left = [(-GAP, dy, "right") for dy in steps]
    return [*right, *left, (0.0, 10.0, "center"), (0.0, -10.0, "center")]


def _box(name: str, x: float, y: float, side: str) -> Box:
    """The room that a name takes when written at a place."""
    width, height = LETTER * SIZE * len(name), SIZE * 1.1
    left = x - {"left": 0.0, "center": 0.5, "right": 1.0}[side] * width
    return left, y - height / 2, left + width, y + height / 2


def _cost(box: Box, taken: Sequence[Box], frame: Box) -> float:
    """How much of the box is covered by others or lies outside the frame, in square points."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return sum(_shared(box, other) for other in taken) + (area - _shared(box, frame))


def _shared(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
