"""An empty drawing in the page's look, and the way from it to a document.

matplotlib is imported where it draws, since the terminal's table must not wait for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .svg import INK, LINE, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (4.4, 3.1)
"""Inches; small enough that 9-point text stays readable on a phone."""
MARGINS = {"left": 0.15, "right": 0.98, "bottom": 0.16, "top": 0.98}
"""Shares of the drawing. A layout computed from the text would cost more than the drawing."""
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tunebench",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def look() -> Iterator[None]:
    """Draws made inside have the page's look; matplotlib's settings outside stay as they were."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def canvas(x: str, y: str) -> tuple[Figure, Axes]:
    """An empty drawing with named axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    figure.subplots_adjust(**MARGINS)
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y, parse_math=False)
    axes.tick_params(which="minor", length=0)
    return figure, axes


def document(figure: Figure) -> str:
    """The drawing as a whole SVG document, the same for the same data."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def tick(value: float) -> str:
    """A number on an axis of counts, as short as it can be: "10 k"."""
    for size, prefix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{prefix}"
    return f"{value:g}"
