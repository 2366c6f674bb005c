"""The budget of every method, side by side: that they are equal is shown, not claimed."""

from __future__ import annotations

from ..analysis import Analysis, TaskAnalysis
from ..analysis.budgets import Budget
from ..analysis.format import duration, present, thousands
from .markup import Markup, element
from .tables import frame, number, swatch, text

TITLE = "Budget"
HEADER = (
    "method",
    "trials",
    "of these complete",
    "examples of a trial",
    "epochs of a trial",
    "read by all trials",
    "read by the winner, a seed",
    "seeds",
    "search took",
    "trainings took",
)
UNDER = (
    "“Read” counts each training example in every epoch; all methods read the same texts, so that "
    "equal examples are equal tokens. What a search took differs, for it is the methods' cost."
)


def budget_texts(one: Budget) -> tuple[str, ...]:
    """A study's line under `HEADER`; of several searches the later ones are numbered."""
    seeds = f"{one.seeds_complete}"
    return (
        _label(one),
        str(one.trials),
        f"{one.trials_complete}" + (f", {one.trials_failed} failed" if one.trials_failed else ""),
        thousands(one.train_examples),
        thousands(one.trial_epochs),
        thousands(one.search_examples),
        thousands(one.winner_examples),
        seeds if one.seeds_complete == one.seeds else f"{seeds} of {one.seeds}",
        _took(one.search_seconds),
        _took(one.train_seconds),
    )


def sentence(task: TaskAnalysis) -> str:
    """Whether the budgets are equal, and which they are; empty where that is not known."""
    return task.unequal_budgets or task.equal_budgets


def section(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """The table on the page, folded away; nothing where no study is known."""
    lines = []
    for one in task.budgets:
        label, *shown = budget_texts(one)
        values = (
            *(one.trials, one.trials_complete, one.train_examples, one.trial_epochs),
            *(one.search_examples, one.winner_examples, one.seeds_complete),
            *(one.search_seconds, one.train_seconds),
        )
        name = element(
            "th", swatch(analysis, one.method), text(label), scope="row", data_value=text(label)
        )
        cells = [number(value, each) for value, each in zip(values, shown, strict=True)]
        lines.append(element("tr", name, *cells))
    if not lines:
        return Markup()
    about = element("p", text(sentence(task)), class_="under")
    return element(
        "details", element("summary", TITLE), about, frame(HEADER, lines, "sortable", UNDER)
    )


def _label(one: Budget) -> str:
    fold = f", fold {one.fold}" if one.fold is not None else ""
    return f"{one.method}{fold}" + (f", search {one.search}" if one.search > 1 else "")


def _took(seconds: float | None) -> str:
    return duration(seconds) if seconds is not None and present(seconds) else "–"
