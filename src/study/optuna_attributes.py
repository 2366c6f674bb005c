"""What Optuna's own tools show beside a study's trials: its user attributes, and each trial's.

A study's name ends with the digest of all that decides its trials, so that other ranges make
another study. What it has searched, on which data, stands beside it for a person to read.
"""

from __future__ import annotations

from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from ..config import Experiment
from ..records import Trial
from ..store.store import Plan
from ..text import redact
from .space import Space


def study_attributes(plan: Plan, experiment: Experiment) -> dict[str, dict[str, str]]:
    """Study → what tells it from others in Optuna's tools, with texts that a person can read."""
    return {
        one.study: {
            "task": one.task,
            "method": one.method,
            "metric": one.metric,
            "data": redact(plan.sources.get(one.task, "")),
            "backbone": redact(experiment.backbone.name),
            "budget": experiment.budget,
        }
        for one in plan.studies
    }


def trial_attributes(record: Trial) -> dict[str, Any]:
    """What Optuna has no place of its own for: where the settings came from, why a trial failed."""
    known = {"draw": record.draw, "seconds": record.seconds, "reason": redact(record.reason)}
    return {key: value for key, value in known.items() if value}


def ranges(space: Space) -> dict[str, str]:
    """What was searched, as user attributes of a study: "search lr" → "0.0001 to 0.01, log"."""
    return {f"search {key}": _in_words(one) for key, one in space.searched.items()}


def _in_words(one: BaseDistribution) -> str:
    if isinstance(one, CategoricalDistribution):
        return ", ".join(map(str, one.choices))
    shown = f"{one.low:g} to {one.high:g}"  # type: ignore[attr-defined]
    return f"{shown}, log" if getattr(one, "log", False) else shown
