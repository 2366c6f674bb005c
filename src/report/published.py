"""Published figures beside ours, where backbone, task and method are the same."""

from __future__ import annotations

from ..analysis import Analysis, TaskAnalysis
from ..analysis.format import score, short
from ..analysis.ledger import Comparable
from .markup import Markup, element
from .tables import frame, heading, text

TITLE = "Published figures of the same backbone and task"
HEADER = ("method", "metric", "ours", "published", "trained", "published trained", "protocol")
UNDER = (
    "Published figures were made by protocols of their own, of which each line has what its source "
    "states; none of them is a target for ours. Verified: read in the source; copied: read in a "
    "copy of it; recalled: not read again."
)


def published_texts(one: Comparable) -> tuple[str, ...]:
    """A figure's line under `HEADER`."""
    figure = one.figure
    source = figure.source.authors + (f", {figure.source.table}" if figure.source.table else "")
    return (
        figure.method,
        figure.metric,
        "-" if one.ours is None else score(one.ours.value, one.ours.spread),
        score(figure.score, figure.spread),
        "-" if one.trained is None else short(one.trained),
        figure.trained or "-",
        "; ".join(filter(None, (figure.protocol, f"{source} ({figure.read})"))),
    )


def section(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The table on the page; nothing where no published figure is comparable."""
    if not task.published:
        return Markup()
    lines = []
    for one in task.published:
        method, *rest = published_texts(one)
        cells = [element("td", text(cell)) for cell in rest]
        lines.append(element("tr", heading(analysis, method), *cells))
    return element("details", element("summary", TITLE), frame(HEADER, lines, "text", UNDER))
