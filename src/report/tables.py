"""The page's tables that span tasks, and the pieces that every table is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..analysis.facts import chosen
from ..analysis.leads import averages
from ..analysis.rows import Row, cells
from ..analysis.words import one_line, redact
from ..records import Comparison
from .markup import Markup, element, join
from .plots import series


def text(value: str) -> str:
    """A name or a reason as the page may show it."""
    return redact(one_line(value))


def swatch(comparison: Comparison, method: str) -> Markup:
    """The method's colour; an empty place of the same width for a row that has none."""
    looks = series(comparison)
    style = f"--key: var(--series-{looks[method][0]})" if method in looks else None
    return element("span", class_="key", style=style)


def heading(comparison: Comparison, name: str, *more: str) -> Markup:
    """A row's first cell: the method's colour and its name, by which the table sorts."""
    shown = text(name)
    return element("th", swatch(comparison, name), shown, *more, scope="row", data_value=shown)


def number(value: float | None, shown: str, best: bool = False) -> Markup:
    """A cell that sorts by its number."""
    if value is None:
        return element("td", element("span", shown, class_="absent"), data_value="")
    return element("td", shown, class_="best" if best else None, data_value=repr(value))


def frame(head: Sequence[str], lines: Sequence[str], kind: str, under: str = "") -> Markup:
    """A table that scrolls inside its frame where the screen is narrow, and a line under it.

    Args:
        head: The columns' names.
        lines: The finished rows.
        kind: "sortable" for numbers, "text" for words.
        under: What a reader should know of the table.
    """
    top = element("thead", element("tr", *(element("th", name, scope="col") for name in head)))
    table = element("table", top, element("tbody", *lines), class_=kind)
    told = element("p", under, class_="under") if under else Markup()
    return join(element("div", table, class_="wide", tabindex="0"), told)


def overview(comparison: Comparison) -> Markup:
    """Methods against tasks, with the mean over all tasks."""
    found = averages(comparison)
    top = max((mean for _, _, mean in found if mean is not None), default=None)
    best = [
        max((row.score.value for row in column if row.score is not None), default=None)
        for column in zip(*(own for _, own, _ in found), strict=True)
    ]
    lines = []
    for method, own, mean in found:
        shown = [_entry(row, highest) for row, highest in zip(own, best, strict=True)]
        last = number(mean, "–" if mean is None else f"{mean:.3f}", best=mean == top)
        lines.append(element("tr", heading(comparison, method), *shown, last))
    under = "Each task's own score; the mean stands where every task has one. Bold: highest."
    return frame(["method", *map(text, comparison.tasks), "mean"], lines, "sortable", under)


def choices(comparison: Comparison, task: str) -> Markup | None:
    """The hyperparameters that each method's winner had on a task; none where nothing was won."""
    lines = [
        element(
            "tr", heading(comparison, method), element("td", trial), element("td", text(values))
        )
        for name, method, trial, values in chosen(comparison)
        if name == task
    ]
    return frame(["method", "trial", "values"], lines, "text") if lines else None


def runs(comparison: Comparison, run_ids: Mapping[str, str], server: str) -> Markup | None:
    """Every cell that MLflow knows, with a link that works while its server runs."""
    lines = [
        element(
            "tr",
            element("th", text(f"{r.task}, {r.method}, seed {r.seed}"), scope="row"),
            element("td", element("a", run, href=f"{server}/#/runs/{run}")),
        )
        for r in cells(comparison)
        if (run := run_ids.get(r.cell, "")).isalnum()
    ]
    return frame(["cell", "MLflow run"], lines, "text") if lines else None


def _entry(row: Row, top: float | None) -> Markup:
    """One score of the overview, or how its cells ended."""
    if row.score is None:
        ended = "/".join(dict.fromkeys(gone.status for gone in row.failures)) or "–"
        return element("td", element("span", ended, class_="badge small bad"), data_value="")
    value = row.score.value
    return number(value, f"{value:.3f}", best=value == top)
