"""What training costs: tokens a second, padding, energy, and the time until a target is reached.

A validation score is known at the end of each epoch of a trial. The winner itself trains on the
validation rows too, so that the time to a target is that of its trial: the same settings, on the
rows that are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..records import Comparison, TrainingCost, Trial
from .cells import Cell


class Reading(NamedTuple):
    """A point of a training at which its validation score is known."""

    seconds: float | None
    """Of training until then; none in records from before this was kept."""
    step: int
    """Optimizer steps until then."""
    score: float


@dataclass(frozen=True)
class Target:
    """A validation score, and when a training first reached it."""

    score: float
    reached: Reading | None
    """None where it was not."""


def tokens_per_second(cost: TrainingCost) -> float | None:
    """Tokens of text that the steps read, over the seconds of the steps."""
    if cost.tokens is None or not cost.seconds or cost.seconds[-1] <= 0:
        return None
    return cost.tokens / cost.seconds[-1]


def padding_share(cost: TrainingCost) -> float | None:
    """The share of padding if each text were as long as the longest that is read with it."""
    if cost.tokens is None or not cost.padded_tokens:
        return None
    return 1 - cost.tokens / cost.padded_tokens


def joules(cost: TrainingCost) -> float | None:
    """The energy of all counters together."""
    return sum(cost.joules.values()) if cost.joules else None


def readings(trial: Trial) -> tuple[Reading, ...]:
    """The validation scores of a trial, in the order of its training."""
    curve, seconds = trial.curve, trial.cost.epoch_seconds
    if curve.validation:
        known = seconds if len(seconds) == len(curve.validation) else [None] * len(curve.validation)
        return tuple(map(Reading, known, curve.epochs, curve.validation))
    if trial.score is None or not curve.steps:
        return ()
    last = trial.cost.seconds[-1] if trial.cost.seconds else None
    return (Reading(last, curve.steps[-1], trial.score),)


def reached(points: Sequence[Reading], score: float) -> Reading | None:
    """The first reading that is no lower than a score; none where all are."""
    return next((point for point in points if point.score >= score), None)


def with_targets(cells: Sequence[Cell], comparison: Comparison) -> tuple[Cell, ...]:
    """The cells, each with the time that its winner's trial took to the target of its task.

    The target is `target_score` where the experiment states one. Else it is the highest score that
    the winners of all methods reached: with it every method has a time.
    """
    trials = {(trial.study, trial.number): trial for trial in comparison.trials}
    points = {
        cell.result.cell: readings(trials[key])
        for cell in cells
        if cell.result.status == "complete"
        and cell.result.best_trial is not None
        and (key := (cell.result.study, cell.result.best_trial)) in trials
    }
    targets = _targets(cells, points, stated_target(comparison))
    return tuple(
        replace(cell, target=Target(score, reached(points[cell.result.cell], score)))
        if points.get(cell.result.cell) and (score := targets[cell.result.task]) is not None
        else cell
        for cell in cells
    )


def stated_target(comparison: Comparison) -> float | None:
    """The target that the experiment states; none where it states no number."""
    score = comparison.experiment.get("target_score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        return None
    return float(score) if -1 <= score <= 1 else None


def _targets(
    cells: Sequence[Cell], points: Mapping[str, Sequence[Reading]], stated: float | None
) -> dict[str, float]:
    """Task → its target; tasks without any reading have none."""
    highest: dict[str, list[float]] = {}
    for cell in cells:
        if known := points.get(cell.result.cell):
            highest.setdefault(cell.result.task, []).append(max(one.score for one in known))
    return {task: min(each) if stated is None else stated for task, each in highest.items()}
