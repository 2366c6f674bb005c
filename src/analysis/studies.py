"""What a study gave: its trials, the best of them, and how little a few examples say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ..config import SearchSettings
from ..records import Comparison, Fold, Study, Trial
from ..text import plural
from .cells import searches_of
from .format import listed, score
from .leaders import half_width
from .tuning_curve import TuningCurve, tuning_curve

LEAST_FOR_IMPORTANCES = 8
"""With fewer complete trials no share of a setting is shown."""
RANDOM_TRIALS = SearchSettings.random_trials


@dataclass(frozen=True)
class StudyAnalysis:
    """What is shown of one method's search on one task; no test example was touched for it."""

    study: Study
    trials: tuple[Trial, ...]
    """By number; trial 0 has the method's defaults."""
    best: Trial | None
    """The complete trial with the highest validation score, the earliest of equals."""
    curve: TuningCurve | None = None
    """What its random trials say of tuning; none where there is none."""
    fold: Fold | None = None
    """Which round of a cross-validation it is for; none without one."""

    searches: int = 1
    """How many searches each method and task has."""

    @property
    def label(self) -> str:
        """The study among those of its task: "lora", "lora, fold 2", "lora, search 1"."""
        fold = f", fold {self.fold.number}" if self.fold else ""
        search = f", search {self.study.number + 1}" if self.searches > 1 else ""
        return f"{self.study.method}{fold}{search}"

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
    def importances(self) -> str:
        """Each searched setting's share in reaching the best scores, or why there are none."""
        complete = len(self.trials) - self.failed
        if self.study.importances:
            shares = self.study.importances.items()
            return ", ".join(f"{name} {share:.2f}" for name, share in shares)
        if complete < LEAST_FOR_IMPORTANCES:
            return f"not measured: {complete} complete trials, and {LEAST_FOR_IMPORTANCES} it takes"
        return "not measured"

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
    search = comparison.experiment.get("search")
    known = search.get("random_trials") if isinstance(search, Mapping) else None
    random_trials = known if isinstance(known, int) else RANDOM_TRIALS
    searches = searches_of(comparison)
    return tuple(
        StudyAnalysis(
            study,
            trials := _of(comparison.trials, study.study),
            best_trial(trials),
            tuning_curve(trials, study.metric, random_trials),
            comparison.folds.get(study.task),
            searches,
        )
        for study in comparison.studies
    )


def studies_of(studies: Sequence[StudyAnalysis], task: str) -> tuple[StudyAnalysis, ...]:
    """The studies that are shown under a task: its own, or those of its folds."""
    return tuple(one for one in studies if task == (one.fold.task if one.fold else one.study.task))


def gains_line(studies: Sequence[StudyAnalysis]) -> str:
    """What tuning gained under each method, in one line; empty where nothing was searched."""
    gains: dict[str, list[float]] = {}
    for one in studies:
        if len(one.trials) > 1 and one.gain is not None:
            gains.setdefault(one.study.method, []).append(one.gain)
    if not gains:
        return ""
    means = [f"{method} {fmean(each):+.3f}" for method, each in gains.items()]
    return f"Tuning gained over the defaults, on the validation rows: {listed(means)}."


def cautions(studies: Sequence[StudyAnalysis]) -> list[str]:
    """What the gains and the curves of several studies do not say, each sentence once."""
    failed = [one for one in studies if one.curve is not None and one.curve.failed]
    curves = dict.fromkeys(one.curve.caution for one in studies if one.curve is not None)
    return [
        "The best trial was chosen on the validation rows on which its gain is measured, so that "
        "part of every gain is luck.",
        *filter(None, curves),
        *(["Random trials that failed count with 0."] if failed else []),
    ]


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
