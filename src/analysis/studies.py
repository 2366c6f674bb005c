"""What a study gave: its trials, the best of them, and how little a few examples say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Comparison, Study, Trial
from ..text import plural
from .format import score
from .leaders import half_width


@dataclass(frozen=True)
class StudyAnalysis:
    """What is shown of one method's search on one task; no test example was touched for it."""

    study: Study
    trials: tuple[Trial, ...]
    """By number; trial 0 has the method's defaults."""
    best: Trial | None
    """The complete trial with the highest validation score, the earliest of equals."""

    @property
    def name(self) -> str:
        """The study as a heading."""
        return f"{self.study.method} on {self.study.task}"

    @property
    def default_score(self) -> float | None:
        """The validation score of the method's own defaults; none where they failed."""
        return next((trial.score for trial in self.trials if trial.number == 0), None)

    @property
    def gain(self) -> float | None:
        """By how much the best trial is above the defaults, on the validation examples.

        None where either has no score.
        """
        if self.best is None or self.best.score is None or self.default_score is None:
            return None
        return self.best.score - self.default_score

    @property
    def failed(self) -> int:
        """Trials that did not complete."""
        return sum(trial.status != "complete" for trial in self.trials)

    @property
    def answer(self) -> str:
        """The best trial, and what it is better than: one sentence."""
        if self.best is None:
            return f"{self.name}: none of {len(self.trials)} trials is complete."
        metric = self.study.metric or "score"
        return (
            f"{self.name}: trial {self.best.number} has the highest validation {metric}, "
            f"{score(self.best.score)}; the defaults have {score(self.default_score)}."
        )

    @property
    def caution(self) -> str:
        """How much the validation examples let one say; empty where nothing is known of them."""
        examples = self.study.validation_examples
        if self.best is None or self.best.score is None or not examples:
            return ""
        size = plural(examples, "validation example")
        if self.study.metric != "accuracy":
            return (
                f"Scores rest on {size}: the best trial and the importances of settings say no "
                "more than these carry."
            )
        width = half_width(self.best.score, examples)
        others = [t for t in self.trials if t.status == "complete" and t is not self.best]
        near = sum((t.score or 0.0) >= self.best.score - width for t in others)
        carried = (
            f"{near} of {len(others)} other complete trials cannot be kept apart from the best "
            "by them, so that the best trial and the importances of settings say little"
            if near
            else "no other complete trial is that near"
        )
        return (
            f"{size} give scores in steps of {1 / examples:.3f}, and the best score a 95 % "
            f"half-width of {width:.3f}: {carried}."
        )


def study_analyses(comparison: Comparison) -> tuple[StudyAnalysis, ...]:
    """Every planned study of a comparison with its trials."""
    return tuple(
        StudyAnalysis(study, trials := _of(comparison.trials, study.study), best_trial(trials))
        for study in comparison.studies
    )


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the highest validation score, the earliest of equals."""
    complete = [trial for trial in trials if trial.status == "complete"]
    return max(complete, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)


def _of(trials: Sequence[Trial], study: str) -> tuple[Trial, ...]:
    return tuple(sorted((t for t in trials if t.study == study), key=lambda t: t.number))


def settings_line(settings: Mapping[str, Any]) -> str:
    """Settings as a reader has them: "lr 0.001, rank 8"."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in settings.items())


def _plain(value: Any) -> str:
    """A number without the digits that a binary float adds; a sequence with plus signs."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
