"""A task's tables on the page: methods, references, what did not complete; what training took."""

from __future__ import annotations

from collections.abc import Sequence

from ..analysis import Analysis, Column, TaskAnalysis
from ..analysis.format import ABSENT
from ..analysis.rows import Failure, Row
from .markup import Markup, element
from .tables import frame, heading, number, text


def scores(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The rows of one task as a sortable table."""
    columns = task.columns("page")
    top = task.leaders
    # With several seeds the groups say what cannot be told apart.
    one_seed = task.conclusion is None
    close = top.close if one_seed and top is not None and top.margin is not None else ()
    groups = sorted({text for row in task.rows for text in row.texts.values()}, reverse=True)
    lines: list[Markup] = []
    for row in task.rows:
        if row.complete or not row.trained:
            first = _first(analysis, row, row.trained and row.name in close)
            style = ("best" if task.is_best(row) else None) if row.trained else "plain"
            lines.append(element("tr", first, *_numbers(row, columns, groups), class_=style))
        lines += [_failed(analysis, gone, len(columns)) for gone in row.failures]
    head = ["method", *map(task.heading, columns)]
    return frame(head, lines, "sortable", task.margin_line)


def training(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """What training took, folded away; nothing where nothing was measured."""
    columns = task.columns("page_training")
    if not columns:
        return Markup()
    lines = [
        element("tr", heading(analysis, row.name), *(_number(row, each) for each in columns))
        for row in task.rows
        if row.trained and row.complete
    ]
    table = frame(["method", *map(task.heading, columns)], lines, "sortable")
    return element("details", element("summary", "What training took"), table)


def _first(analysis: Analysis, row: Row, close: bool) -> Markup:
    """The first cell: colour, name, and what a reader should know of the row."""
    extra = []
    if close:
        why = "cannot be told apart from the best score"
        extra.append(element("span", " ≈ best", class_="absent", title=why))
    if row.failures:
        part = f" {row.complete} of {row.planned} {'seeds' if row.folds is None else 'cells'}"
        extra.append(element("span", part, class_="absent"))
    extra += [element("span", f" {remark}", class_="absent") for remark in row.remarks]
    return heading(analysis, row.name, *extra)


def _numbers(row: Row, columns: Sequence[Column], groups: Sequence[str]) -> list[Markup]:
    """A row's cells after its name; a reference row has no costs, and says so once."""
    costs = [column.name for column in columns if not column.quality]
    return [
        _no_training(column.name == costs[0])
        if not row.trained and not column.quality
        else _group(row.texts.get(column.name, ""), groups)
        if column.text
        else _number(row, column)
        for column in columns
    ]


def _no_training(first: bool) -> Markup:
    """What stands in the columns of costs of a reference row."""
    label = [element("span", "no training", class_="badge small")] if first else []
    return element("td", *label, data_value="")


def _group(shown: str, groups: Sequence[str]) -> Markup:
    """A cell of letters, which sorts by its place among all; the script makes each a button."""
    place = str(groups.index(shown)) if shown else ""
    return element("td", text(shown), class_="group", data_value=place)


def _number(row: Row, column: Column) -> Markup:
    """One number; a further metric that the row does not have is left empty."""
    mean = row.values.get(column.name)
    if mean is None:
        further = column.quality and column.name != "score"
        absent = row.absent(column.name) or ABSENT
        return element("td", data_value="") if further else number(None, absent)
    shown = column.shown(mean.value, mean.spread, "page", mean.interval)
    if column.name == "score":
        return element("td", shown, class_="score", data_value=repr(mean.value))
    return number(mean.value, shown)


def _failed(analysis: Analysis, gone: Failure, width: int) -> Markup:
    """A line for cells that did not complete: status, seeds, reason."""
    status = element("span", gone.status, class_="badge small bad")
    reason = element("td", status, f" {gone.where}. {text(gone.reason)}", colspan=str(width))
    return element("tr", heading(analysis, gone.method), reason, class_="failed")
