"""A search on the terminal: its trials, the best of them, what mattered, and what to run next."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..analysis import Analysis
from ..analysis.format import score
from ..analysis.studies import StudyAnalysis, settings_line
from ..records import Trial
from ..text import one_line, redact
from .console import literal, standard

HEADINGS = ("trial", "validation score", "status", "train s", "settings")
"""The columns of a study's trials, on the terminal, on the page and in Markdown."""


def trial_texts(study: StudyAnalysis, trial: Trial) -> tuple[str, ...]:
    """A trial's line under `HEADINGS`; the best one is named so."""
    best = " (best)" if trial is study.best else ""
    size = trial.micro_batch
    ended = [trial.status + best, "" if size is None else f"micro-batch {size}", trial.reason]
    again = "run again with the next start" if trial.failure == "transient" else ""
    return (
        str(trial.number),
        score(trial.score) if trial.status == "complete" else "–",
        ", ".join(redact(one_line(text)) for text in (*ended, again) if text),
        f"{trial.seconds:.1f}",
        settings_line(trial.params),
    )


def search_lines(study: StudyAnalysis) -> tuple[str, ...]:
    """What a search says beyond its best trial: what random trials reach, which settings matter."""
    curve = study.curve
    reached = () if curve is None else (curve.summary, curve.caution)
    return tuple(filter(None, (*reached, f"Importance of settings: {study.importances}.")))


def print_study(study: StudyAnalysis, console: Console) -> None:
    """Print a study's trials, best settings and what they carry; the test split was not touched."""
    table = Table(box=None, header_style="bold")
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading in HEADINGS[:2] else "left")
    for trial in study.trials:
        mark = "bold" if trial is study.best else ""
        table.add_row(*(Text(cell, mark) for cell in trial_texts(study, trial)))
    console.print(table)
    console.print(literal(study.answer), style="bold")
    if study.best is not None:
        console.print(literal(f"Settings     {settings_line(study.best.params)}"), soft_wrap=True)
    if study.caution:
        console.print(literal(study.caution))
    for line in search_lines(study):
        console.print(literal(line))


def show_study(
    analysis: Analysis,
    out: Path,
    following: str = "",
    console: Console | None = None,
) -> None:
    """Print what a search gave, and where to go on.

    Args:
        analysis: What is shown of the search.
        out: The folder that holds its report.
        following: The command that trains and tests the best settings; empty where there is none.
        console: Where to print; standard output by default.
    """
    console = console if console is not None else standard()
    for study in analysis.studies:
        print_study(study, console)
    facts = [
        ("Report", f"{out / 'report.html'} (report.md beside it)"),
        ("Optuna", f"sqlite:///{out / 'optuna.db'}"),
        ("Next", following),
    ]
    for name, value in facts:
        if value:
            console.print(Text(f"{name:<13}") + literal(value), soft_wrap=True)
