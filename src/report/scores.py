"""A task's table on the page: every method and reference, and the cells that did not complete."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis import words
from ..analysis.leads import lead, margin_line
from ..analysis.rows import Failure, Mean, Row
from ..records import Comparison
from .markup import Markup, element
from .tables import frame, heading, number, text

COSTS = ("trained", "with head", "stored", "latency ms", "× bare", "train s", "peak MiB")
"""The columns after the scores."""


def scores(comparison: Comparison, table: Sequence[Row]) -> Markup:
    """The rows of one task as a sortable table."""
    metric = (table[0].metric if table else "") or "score"
    more = _metrics(table, metric)
    ahead = lead(table)
    close = ahead.close if ahead is not None and ahead.margin is not None else ()
    lines: list[Markup] = []
    for row in table:
        kind = "best" if ahead is not None and row is ahead.row else None
        if row.complete or not row.trained:
            first = _first(comparison, row, row.trained and row.name in close)
            style = kind if row.trained else "plain"
            lines.append(element("tr", first, *_numbers(row, more), class_=style))
        width = 1 + len(more) + len(COSTS)
        lines += [_failed(comparison, gone, width) for gone in row.failures]
    return frame(["method", metric, *more, *COSTS], lines, "sortable", margin_line(table))


def _metrics(table: Sequence[Row], metric: str) -> list[str]:
    """Further metrics that have a column: accuracy first, then the others as they were taken."""
    every = dict.fromkeys(name for row in table if row.trained for name in row.metrics)
    accuracy = ["accuracy"] if any(row.accuracy is not None for row in table) else []
    names = dict.fromkeys([*accuracy, *every])
    return [name for name in names if name != metric]


def _first(comparison: Comparison, row: Row, close: bool) -> Markup:
    """The first cell: colour, name, and whether the leader is within reach."""
    extra = []
    if close:
        why = "within the 95 % half-width of the best score"
        extra.append(element("span", " ≈ best", class_="absent", title=why))
    if row.failures:
        part = f" {row.complete} of {row.planned} seeds"
        extra.append(element("span", part, class_="absent"))
    return heading(comparison, row.name, *extra)


def _numbers(row: Row, more: Sequence[str]) -> list[Markup]:
    """A row's cells after its name."""
    every = {**row.metrics, **({"accuracy": row.accuracy} if row.accuracy is not None else {})}
    first = [_score(row.score), *(_further(every.get(name)) for name in more)]
    if not row.trained:
        label = element("td", element("span", "no training", class_="badge small"), data_value="")
        return [*first, label, *[element("td", data_value="")] * (len(COSTS) - 1)]
    counts = (row.trainable_params, row.trainable_params_with_head, row.stored_params)
    return [
        *first,
        *(number(count, words.thousands(count)) for count in counts),
        number(row.latency_ms, words.significant(row.latency_ms)),
        number(row.latency_ratio, words.ratio(row.latency_ratio)),
        number(row.train_seconds, words.significant(row.train_seconds)),
        number(row.peak_memory_mib, words.thousands(row.peak_memory_mib)),
    ]


def _score(mean: Mean | None) -> Markup:
    """The task's own score."""
    if mean is None:
        return number(None, words.ABSENT)
    shown = words.score(mean.value, mean.spread)
    return element("td", shown, class_="score", data_value=repr(mean.value))


def _further(mean: Mean | None) -> Markup:
    """A further metric; empty where the row does not have it."""
    if mean is None:
        return element("td", data_value="")
    return number(mean.value, words.score(mean.value, mean.spread))


def _failed(comparison: Comparison, gone: Failure, width: int) -> Markup:
    """A line for cells that did not complete: status, seeds, reason."""
    status = element("span", gone.status, class_="badge small bad")
    seeds = ", ".join(map(str, gone.seeds))
    told = element("td", status, f" seed {seeds}. {text(gone.reason)}", colspan=str(width))
    return element("tr", heading(comparison, gone.method), told, class_="failed")
