"""What `tune` prints: the best trial, what mattered, and every trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..analysis.format import score
from ..records import Trial


def show_study(
    best: Trial | None,
    importances: Mapping[str, float],
    trials: Sequence[Trial],
    out: Path,
    console: Console | None = None,
) -> None:
    """Print a study; scores are on the validation split, the test split was not touched."""
    console = console or Console(soft_wrap=True)
    console.print(_trials(trials, best))
    if best is None:
        console.print(Text(f"none of {len(trials)} trials is complete"))
        return
    default = next((t.score for t in trials if t.number == 0 and t.status == "complete"), None)
    console.print(Text(f"Best trial   {best.number}, validation score {score(best.score)}"))
    console.print(Text(f"Defaults     {score(default)} (trial 0)"))
    console.print(Text(f"Settings     {_settings(best.params)}"))
    console.print(Text(f"Importance   {_importance(importances)}"))
    console.print(Text(f"Optuna       sqlite:///{out / 'optuna.db'}"))


def _trials(trials: Sequence[Trial], best: Trial | None) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("trial", "score", "status", "train s", "settings"):
        table.add_column(heading, justify="right" if heading in ("trial", "score") else "left")
    for trial in trials:
        mark = "bold" if trial is best else ""
        seconds = f"{trial.seconds:.1f}"
        line = (str(trial.number), score(trial.score), trial.status, seconds)
        table.add_row(*(Text(cell, mark) for cell in (*line, _settings(trial.params))))
    return table


def _settings(params: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={f'{value:.3g}' if isinstance(value, float) else value}"
        for key, value in params.items()
    )


def _importance(importances: Mapping[str, float]) -> str:
    if not importances:
        return "not measured: too few trials that differ"
    return ", ".join(f"{key} {value:.2f}" for key, value in importances.items())
