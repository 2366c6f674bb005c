"""The studies of a comparison, task × method: their cells and trials, and what those give."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import Comparison, Curve, Result, Trial


def studies(comparison: Comparison) -> dict[str, list[Result]]:
    """The planned studies in the order of the table, each with all its cells."""
    cells: dict[str, list[Result]] = {}
    for row in comparison.results:
        cells.setdefault(row.study, []).append(row)
    return cells


def begun_studies(comparison: Comparison) -> set[str]:
    """The studies of which anything is there."""
    tried = {trial.study for trial in comparison.trials if trial.status != "missing"}
    return tried | {row.study for row in comparison.results if row.status != "missing"}


def trained_seconds(comparison: Comparison, rows: Sequence[Result]) -> float:
    """What a study with these cells trained in all: its trials and its cells."""
    trials = sum(trial.seconds for trial in _trials(comparison, rows))
    return trials + sum(row.train_seconds or 0 for row in rows)


def all_curves(comparison: Comparison, rows: Sequence[Result]) -> tuple[tuple[str, Curve], ...]:
    """The learning curves of a study's trials and cells, by name."""
    curves = [(f"trial {trial.number}", trial.curve) for trial in _trials(comparison, rows)]
    curves += [(f"seed {row.seed}", row.curve) for row in rows]
    return tuple((name, curve) for name, curve in curves if curve.steps)


def _trials(comparison: Comparison, rows: Sequence[Result]) -> list[Trial]:
    return [trial for trial in comparison.trials if trial.study == rows[0].study]
