"""What each study and its winner's trainings were given, and what they took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..records import Comparison
from .studies import StudyAnalysis, study_analyses
from .summary import trials_of


@dataclass(frozen=True)
class Budget:
    """One study: a method on a task, or on one fold of it."""

    study: str
    """Its identity, as MLflow and Optuna name it."""
    task: str
    """The task that it is shown under."""
    fold: int | None
    """In a cross-validation the fold's number."""
    method: str
    trials: int
    """How many were asked for."""
    trials_complete: int
    trials_failed: int
    trial_epochs: int | None
    """Epochs of a trial; none where the records do not say."""
    epochs: int | None
    """Epochs of the winner on each seed."""
    train_examples: int | None
    """Rows that a trial trains on; none before a cell is complete."""
    validation_examples: int | None
    """Rows that a trial is judged on; the winner trains on them too."""
    seeds: int
    """Seeds that were planned."""
    seeds_complete: int
    search_seconds: float | None
    """Wall time of all trials; none before the first."""
    train_seconds: float | None
    """Wall time of the winner's trainings, all complete seeds together; none where not measured."""


def budgets(comparison: Comparison) -> tuple[Budget, ...]:
    """The budget of every planned study of a comparison."""
    return tuple(_budget(comparison, one) for one in study_analyses(comparison))


def _budget(comparison: Comparison, of: StudyAnalysis) -> Budget:
    study, fold = of.study, comparison.folds.get(of.study.task)
    rows = [row for row in comparison.results if row.study == study.study]
    done = [row for row in rows if row.status == "complete"]
    examples = done[0].validation_examples if done else None
    return Budget(
        study=study.study,
        task=study.task if fold is None else fold.task,
        fold=None if fold is None else fold.number,
        method=study.method,
        trials=trials_of(comparison),
        trials_complete=len(of.trials) - of.failed,
        trials_failed=of.failed,
        trial_epochs=_setting(comparison, "trial_epochs"),
        epochs=_setting(comparison, "epochs"),
        train_examples=done[0].train_examples if done else None,
        validation_examples=study.validation_examples or examples,
        seeds=len(rows),
        seeds_complete=len(done),
        search_seconds=_sum(trial.seconds for trial in of.trials),
        train_seconds=_sum(row.train_seconds for row in done),
    )


def _setting(comparison: Comparison, name: str) -> int | None:
    """A count among the search's settings; a record may come from a stranger, and lack it."""
    search = comparison.experiment.get("search")
    value: Any = search.get(name) if isinstance(search, Mapping) else None
    return value if isinstance(value, int) else None


def _sum(seconds: Iterable[float | None]) -> float | None:
    """The sum of what was measured; none where nothing was."""
    known = [each for each in seconds if each is not None]
    return sum(known) if known else None
