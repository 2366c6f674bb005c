"""Writes names beside points so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .svg import LINE, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""
Alignment = Literal["left", "center", "right"]

SIZE = 8.5
"""Font size in points."""
LEVEL_SIZE = 7.5
"""Of the names of levels."""
GAP = 7.0
"""Points between a marker's middle and its name."""
MARKER = 5.0
"""Half the width of the widest marker in points, a square on its corner."""
LETTER = 0.62
"""Width of a letter in font sizes, on the wide side: the reader's font is not known here."""
LINE_HEIGHT = 1.4
"""Height of a line in font sizes: browsers have 1.25, and not quite about the same middle."""
NEAR = 11.0
"""Points up to which a name plainly belongs to its marker; from there on a line leads to it."""


@dataclass(frozen=True)
class Place:
    """Where a name may stand: an anchor, an offset from it, and the side that stays fixed."""

    x: float
    y: float
    dx: float
    dy: float
    alignment: Alignment

    def box(self, name: str, size: float) -> Box:
        """The room that a name takes there."""
        width, height = LETTER * size * len(name), LINE_HEIGHT * size
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[self.alignment]
        left, middle = self.x + self.dx - share * width, self.y + self.dy
        return left - 1, middle - height / 2, left + width + 1, middle + height / 2


def lines(axes: Axes, levels: Sequence[tuple[str, float]]) -> None:
    """A dashed line at each level; `names` writes what it is."""
    for _, level in levels:
        axes.axhline(level, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)


def names(
    axes: Axes,
    points: Sequence[tuple[str, float, float]],
    levels: Sequence[tuple[str, float]],
) -> None:
    """Write the name of each level at its line, and each point's as near to it as there is room.

    Args:
        axes: Where the points are drawn already, so that its limits are known.
        points: Name and coordinates of each point.
        levels: Names and heights of the lines that `lines` has drawn.
    """
    limits = axes.get_xlim(), axes.get_ylim()
    axes.set(xlim=limits[0], ylim=limits[1])  # a name must not move the points it is placed by
    scale = 72 / axes.get_figure(root=True).dpi  # type: ignore[union-attr]  # it was just drawn on
    left, bottom, right, top = (edge * scale for edge in axes.bbox.extents)
    frame = (left, bottom, right, top)
    middles = [axes.transData.transform((x, y)) * scale for _, x, y in points]
    heights = [axes.transData.transform((limits[0][0], y))[1] * scale for _, y in levels]
    taken = [_around(x, y) for x, y in middles]
    taken += [(left, height - 1, right, height + 1) for height in heights]
    for (name, level), height in zip(levels, heights, strict=True):
        one = place(name, LEVEL_SIZE, _along(left, right, height), taken, frame)
        taken.append(one.box(name, LEVEL_SIZE))
        axes.annotate(
            name, (0 if one.x == left else 1, level), xycoords=("axes fraction", "data"),
            xytext=(one.dx, one.dy), textcoords="offset points", fontsize=LEVEL_SIZE,
            ha=one.alignment, va="center", color=MUTED, parse_math=False,
        )  # fmt: skip
    for (name, x, y), (across, up) in zip(points, middles, strict=True):
        one = place(name, SIZE, _beside(across, up), taken, frame)
        taken.append(one.box(name, SIZE))
        far = abs(one.dy) > NEAR or abs(one.dx) > NEAR
        axes.annotate(
            name, (x, y), xytext=(one.dx, one.dy), textcoords="offset points", fontsize=SIZE,
            ha=one.alignment, va="center", parse_math=False, zorder=4,
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.7} if far else None,
        )  # fmt: skip


def place(
    name: str, size: float, places: Sequence[Place], taken: Sequence[Box], frame: Box
) -> Place:
    """The first place where a name covers nothing; where there is none, the one that covers least.

    Args:
        name: What is written.
        size: Its font size.
        places: Where it may stand, the most readable first.
        taken: What must not be covered.
        frame: What it should not leave.
    """
    costs = [_cost(one.box(name, size), taken, frame) for one in places]
    # Of rounding, edges that touch may share a sliver.
    free = next((i for i, cost in enumerate(costs) if cost < 1e-6), costs.index(min(costs)))
    return places[free]


def _beside(x: float, y: float) -> list[Place]:
    """Right and left of a point, above and below it, and the same further and further away."""
    places = [Place(x, y, GAP, dy, "left") for dy in (0.0, 8.0, -8.0)]
    places += [Place(x, y, -GAP, dy, "right") for dy in (0.0, 8.0, -8.0)]
    places += [Place(x, y, 0.0, dy, "center") for dy in (10.0, -10.0)]
    for step in range(1, 16):
        for up in (10.0 + 6 * step, -10.0 - 6 * step):
            places += [Place(x, y, GAP, up, "left"), Place(x, y, -GAP, up, "right")]
            places.append(Place(x, y, 0.0, up, "center"))
        away = GAP + 12.0 * step
        for up in (0.0, 10.0, -10.0, 20.0, -20.0):
            places += [Place(x, y, away, up, "left"), Place(x, y, -away, up, "right")]
    return places


def _along(left: float, right: float, height: float) -> list[Place]:
    """Above and below the right end of a line, then its left end, then further in."""
    above = 1.5 + LEVEL_SIZE * LINE_HEIGHT / 2
    places = []
    for inset in (0.0, 60.0, 110.0):
        for up in (above, -above):
            places.append(Place(right, height, -inset - 2, up, "right"))
        for up in (above, -above):
            places.append(Place(left, height, inset + 2, up, "left"))
    return places


def _around(x: float, y: float) -> Box:
    """The room that a marker takes."""
    return x - MARKER, y - MARKER, x + MARKER, y + MARKER


def _cost(box: Box, taken: Sequence[Box], frame: Box) -> float:
    """How much of the box is covered by others or lies outside the frame, in square points."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    return sum(shared(box, other) for other in taken) + (area - shared(box, frame))


def shared(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
