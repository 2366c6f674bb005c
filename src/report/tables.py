"""The page's tables that span tasks, and the pieces that every table is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..analysis import Analysis, TaskAnalysis
from ..analysis.format import score
from ..analysis.leaders import equal
from ..analysis.rows import Row
from ..analysis.studies import StudyAnalysis
from ..text import one_line, redact
from .markup import Markup, element, join
from .plots import series
from .study import HEADINGS, trial_texts

CLASS_HEADER = ("class", "method", "test examples", "precision", "recall", "F1")


def text(value: str) -> str:
    """A name or a reason as the page may show it."""
    return redact(one_line(value))


def swatch(analysis: Analysis, method: str) -> Markup:
    """The method's colour; an empty place of the same width for a row that has none."""
    looks = series(analysis.comparison.methods)
    style = f"--key: var(--series-{looks[method][0]})" if method in looks else None
    return element("span", class_="key", style=style)


def heading(analysis: Analysis, name: str, *more: str) -> Markup:
    """A row's first cell: the method's colour and its name, by which the table sorts."""
    shown = text(name)
    return element("th", swatch(analysis, name), shown, *more, scope="row", data_value=shown)


def number(value: float | None, shown: str, best: bool = False) -> Markup:
    """A cell that sorts by its number."""
    if value is None:
        return element("td", element("span", shown, class_="absent"), data_value="")
    return element("td", shown, class_="best" if best else None, data_value=repr(value))


def frame(head: Sequence[str], lines: Sequence[str], kind: str, under: str = "") -> Markup:
    """A table that scrolls inside its frame where the screen is narrow, and a line under it.

    The script marks a frame whose table goes on to the right.

    Args:
        head: The columns' names.
        lines: The finished rows.
        kind: "sortable" for numbers, "text" for words.
        under: What a reader should know of the table.
    """
    top = element("thead", element("tr", *(element("th", name, scope="col") for name in head)))
    table = element("table", top, element("tbody", *lines), class_=kind or None)
    below = element("p", under, class_="under") if under else Markup()
    scrolled = element("div", table, class_="wide", tabindex="0")
    return join(element("div", scrolled, class_="frame"), below)


def overview(analysis: Analysis) -> Markup:
    """Methods against tasks, with the mean over all tasks."""
    means = [each.mean for each in analysis.overview if each.mean is not None]
    top = max(means, default=None) if analysis.ranked else None
    lines = []
    for each in analysis.overview:
        scores = [
            _entry(row, task.is_best(row))
            for row, task in zip(each.rows, analysis.tasks, strict=True)
        ]
        mean = "–" if each.mean is None else f"{each.mean:.3f}"
        best = each.mean is not None and top is not None and equal(each.mean, top)
        last = number(each.mean, mean, best=best)
        lines.append(element("tr", heading(analysis, each.method), *scores, last))
    under = "Each task's own score; the mean stands where every task has one."
    under += " Bold: highest." if analysis.ranked else ""
    return frame(
        ["method", *(text(task.task) for task in analysis.tasks), "mean"], lines, "sortable", under
    )


def choices(analysis: Analysis, task: TaskAnalysis) -> Markup | None:
    """The hyperparameters of each method's best trial on a task; none where there is none."""
    lines = [
        element("tr", heading(analysis, method), element("td", trial), element("td", text(values)))
        for method, trial, values in task.chosen
    ]
    return frame(["method", "trial", "values"], lines, "text") if lines else None


def classes(analysis: Analysis, task: TaskAnalysis) -> Markup | None:
    """Precision, recall and F1 of each class under each method; none where there are no classes."""
    lines = []
    for one in task.classes:
        parts = (one.precision, one.recall, one.f1)
        numbers = [number(part.value, score(part.value, part.spread)) for part in parts]
        lines.append(
            element(
                "tr",
                element("th", text(one.label), scope="row", data_value=text(one.label)),
                element("td", swatch(analysis, one.method), text(one.method), class_="left"),
                number(one.examples, f"{one.examples:,}"),
                *numbers,
            )
        )
    if not lines:
        return None
    under = "A class that is never answered has precision 0."
    table = frame(CLASS_HEADER, lines, "sortable", under)
    return element("details", element("summary", "Precision, recall and F1 of each class"), table)


def trials(study: StudyAnalysis) -> Markup:
    """A search's trials, the best one marked, and what they carry."""
    lines = [
        element(
            "tr",
            element("th", first, scope="row", data_value=str(trial.number)),
            number(trial.score, shown),
            *(element("td", text(cell)) for cell in rest),
            class_="best" if trial is study.best else None,
        )
        for trial in study.trials
        for first, shown, *rest in (trial_texts(study, trial),)
    ]
    return frame(HEADINGS, lines, "sortable", study.caution)


def runs(analysis: Analysis, run_ids: Mapping[str, str], server: str) -> Markup | None:
    """Every cell that MLflow knows, with a link that works while its server runs."""
    lines = [
        element(
            "tr",
            element("th", text(f"{r.task}, {r.method}, seed {r.seed}"), scope="row"),
            element("td", element("a", run, href=f"{server}/#/runs/{run}")),
        )
        for r in (cell.result for cell in analysis.cells)
        if (run := run_ids.get(r.cell, "")).isalnum()
    ]
    return frame(["cell", "MLflow run"], lines, "text") if lines else None


def _entry(row: Row, best: bool) -> Markup:
    """One score of the overview, or how its cells ended."""
    if row.score is None:
        ended = "/".join(dict.fromkeys(gone.status for gone in row.failures)) or "–"
        return element("td", element("span", ended, class_="badge small bad"), data_value="")
    return number(row.score.value, f"{row.score.value:.3f}", best=best)
