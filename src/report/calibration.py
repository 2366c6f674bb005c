"""How well each method is calibrated: error, interval, and what chance alone would give."""

from __future__ import annotations

from ..analysis import Analysis, TaskAnalysis
from ..analysis.calibration import Calibration
from ..analysis.format import score
from .markup import Markup, element
from .tables import frame, heading, number

TITLE = "Calibration"
HEADER = ("method", "ECE", "95 % interval", "exact would have", "mean confidence", "accuracy")
UNDER = (
    "The interval is that of test examples and, where there are several, seeds. ECE is never "
    "negative: “exact would have” is what a model with exact probabilities would show on these "
    "examples by chance. Confidence above accuracy claims too much."
)


def calibration_texts(one: Calibration) -> tuple[str, ...]:
    """A method's line under `HEADER`."""
    low, high = one.interval
    return (
        one.method,
        score(one.error.value, one.error.spread),
        f"{low:.3f} to {high:.3f}",
        score(one.by_chance),
        score(one.confidence),
        score(one.accuracy),
    )


def section(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The table on the page, folded away; nothing where no probabilities are stored."""
    lines = []
    for one in task.calibrations:
        values = (one.error.value, one.interval[0], one.by_chance, one.confidence, one.accuracy)
        method, *shown = calibration_texts(one)
        cells = [number(value, cell) for value, cell in zip(values, shown, strict=True)]
        lines.append(element("tr", heading(analysis, method), *cells))
    if not lines:
        return Markup()
    return element("details", element("summary", TITLE), frame(HEADER, lines, "sortable", UNDER))
