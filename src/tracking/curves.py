"""Learning curves as one small SVG, written by hand: a plotting library would cost a second."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..records import Curve

WIDTH, HEIGHT, MARGIN = 420, 260, 44
NAMED = 6
"""So many lines are named below the axes; every line has its name as a tooltip."""
COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7d5ba6", "#b08900", "#4a4e69")

Number = int | float
Line = tuple[str, Sequence[Number], Sequence[Number]]
Ends = tuple[Number, Number]


def draw(curves: Sequence[tuple[str, Curve]]) -> str:
    """Training loss by optimizer step, a line for each curve."""
    lines: list[Line] = [(name, curve.steps, curve.loss) for name, curve in curves if curve.steps]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{panel(lines) if lines else ""}</svg>\n'
    )


def panel(lines: Sequence[Line]) -> str:
    """A pair of axes with its lines and a key."""
    xs = [x for _, line, _ in lines for x in line]
    ys = [y for _, _, line in lines for y in line]
    frame = f"{MARGIN},{MARGIN} {MARGIN},{HEIGHT - MARGIN} {WIDTH - 12},{HEIGHT - MARGIN}"
    texts = [
        text(MARGIN, 18, "training loss, by step", "start"),
        text(MARGIN - 4, MARGIN + 4, f"{max(ys):.3g}", "end"),
        text(MARGIN - 4, HEIGHT - MARGIN, f"{min(ys):.3g}", "end"),
        text(MARGIN, HEIGHT - MARGIN + 14, f"{min(xs):g}", "middle"),
        text(WIDTH - 12, HEIGHT - MARGIN + 14, f"{max(xs):g}", "end"),
    ]
    drawn = [
        polyline(line, (min(xs), max(xs)), (min(ys), max(ys)), COLOURS[i % len(COLOURS)])
        for i, line in enumerate(lines)
    ]
    key = [
        text(MARGIN + 60 * i, HEIGHT - 8, name, "start", COLOURS[i % len(COLOURS)])
        for i, (name, _, _) in enumerate(lines[:NAMED])
    ]
    axes = f'<polyline points="{frame}" fill="none" stroke="#8d99ae"/>'
    return axes + "".join(texts + drawn + key)


def polyline(line: Line, xs: Ends, ys: Ends, colour: str) -> str:
    """One curve inside its axes; a single point becomes a dot."""
    name, at, values = line
    points = [
        (
            MARGIN + (WIDTH - MARGIN - 12) * share(x, xs),
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share(y, ys),
        )
        for x, y in zip(at, values, strict=True)
    ]
    title = f"<title>{escape(name)}</title>"
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">{title}</circle>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5">'
        f"{title}</polyline>"
    )


def share(value: Number, ends: Ends) -> float:
    """Where a value lies between two ends, from 0 to 1; the middle where they are equal."""
    low, high = ends
    return (value - low) / (high - low) if high > low else 0.5


def text(x: Number, y: Number, label: str, anchor: str, colour: str = "#2b2d42") -> str:
    """A label."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(label)}</text>'
