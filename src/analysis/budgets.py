"""What each study and its winner's trainings may use, what they took, and whether that is equal.

A method is compared under a stated budget of tuning: equal trials, equal training examples. All
methods of a task read the same texts in the same tokens, so that equal examples are equal tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Comparison
from ..text import plural
from .format import listed
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
    search: int
    """Which of several searches it is, from 1."""
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

    @property
    def search_examples(self) -> int | None:
        """Training examples that all trials may read, each counted in every epoch."""
        if self.trial_epochs is None or self.train_examples is None:
            return None
        return self.trials * self.trial_epochs * self.train_examples

    @property
    def winner_examples(self) -> int | None:
        """Training examples that the winner reads for each seed, counted in every epoch."""
        if None in (self.epochs, self.train_examples, self.validation_examples):
            return None
        return self.epochs * (self.train_examples + self.validation_examples)  # type: ignore[operator]

    @property
    def search_text(self) -> str:
        """What the search may use: "12 trials of 2 epochs over 1,600 examples"."""
        epochs = "" if self.trial_epochs is None else f" of {plural(self.trial_epochs, 'epoch')}"
        rows = "" if self.train_examples is None else f" over {self.train_examples:,} examples"
        return f"{plural(self.trials, 'trial')}{epochs}{rows}"


def search_texts(budgets: Iterable[Budget], task: str) -> dict[str, str]:
    """Method → what its search on a task may use, of all its studies; equal texts, equal budgets.

    Left out are methods without a complete cell: nothing is compared with them.
    """
    texts: dict[str, dict[str, None]] = {}
    for one in budgets:
        if one.task == task and one.seeds_complete:
            texts.setdefault(one.method, {})[one.search_text] = None
    return {method: " and ".join(each) for method, each in texts.items()}


def unequal(texts: Mapping[str, str]) -> str:
    """What keeps methods from being ranked, as a sentence that names the budgets; else empty."""
    groups: dict[str, list[str]] = {}
    for method, budget in texts.items():
        groups.setdefault(budget, []).append(method)
    if len(groups) < 2:
        return ""
    named = [f"{listed(methods)} had {budget}" for budget, methods in groups.items()]
    start = "The budgets of tuning are not equal, so that the methods are not ranked"
    return f"{start}: {'; '.join(named)}."


def equal(budgets: Sequence[Budget], task: str) -> str:
    """That all methods of a task had one budget, and which; empty where it is not so or unknown."""
    texts = search_texts(budgets, task)
    if len(texts) < 2 or len(set(texts.values())) > 1:
        return ""
    one = next(one for one in budgets if one.task == task and one.seeds_complete)
    if one.search_examples is None or one.winner_examples is None:
        return ""
    several = any(two.fold is not None or two.search > 1 for two in budgets)
    each = "in each search" if several else "in all"
    return (
        f"Every method had the same budget: {texts[one.method]} ({one.search_examples:,} "
        f"training examples read {each}), and {one.winner_examples:,} for each seed of its winner."
    )


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
        search=study.number + 1,
        method=study.method,
        trials=_trials(comparison, of, bool(done)),
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


def _trials(comparison: Comparison, of: StudyAnalysis, complete: bool) -> int:
    """How many trials a study was planned with.

    Where its record does not say, a study with a complete cell has all of its trials.
    """
    recorded = 1 + max((trial.number for trial in of.trials), default=-1)
    if of.study.trials is not None:
        return max(of.study.trials, recorded)
    return recorded if complete and recorded else trials_of(comparison)


def _setting(comparison: Comparison, name: str) -> int | None:
    """A count among the search's settings; a record may come from a stranger, and lack it."""
    search = comparison.experiment.get("search")
    value: Any = search.get(name) if isinstance(search, Mapping) else None
    return value if isinstance(value, int) else None


def _sum(seconds: Iterable[float | None]) -> float | None:
    """The sum of what was measured; none where nothing was."""
    known = [each for each in seconds if each is not None]
    return sum(known) if known else None
