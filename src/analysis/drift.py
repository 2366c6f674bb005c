"""The same cell in two environments: how far its score and its answers moved, beside the seeds.

Settings, seed and rows are equal; what differs is where and by what it was trained. A drift that
is no larger than what another seed would change is no news; one that is larger says that figures
of the two environments do not compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from ..records import Result
from .format import present
from .predictions import PredictionReader, Predictions

CODES = ("code", "method code")
"""Entries of an environment that are digests, of which only a difference is known."""


@dataclass(frozen=True)
class Rerun:
    """One cell that was trained twice, the earlier record first."""

    then: Result
    now: Result
    answers_then: Predictions | None = None
    answers_now: Predictions | None = None


@dataclass(frozen=True)
class Drift:
    """How far a method's cells on a task moved between two environments."""

    task: str
    method: str
    metric: str
    seeds: tuple[int, ...]
    then: float
    """Mean score of these seeds in the first environment."""
    now: float
    """Likewise in the second."""
    answers: int
    """Answers that were compared, over all seeds; 0 where they are not stored."""
    changed: int
    """Answers that are not what they were."""
    moved: float
    """The most that a probability, or a value that was answered, moved."""
    spread: float | None
    """Standard deviation over the comparison's seeds; none with one."""

    @property
    def difference(self) -> float:
        """The score now less the score then."""
        return self.now - self.then


def rerun(main: Result, other: Result, read: PredictionReader) -> Rerun | None:
    """Two records of one cell in the order of time; none where more than the environment differs.

    Args:
        main: The record of the comparison's table.
        other: A record of the same cell from another training.
        read: Reads a cell's stored answers.
    """
    if not same_run(main, other) or is_copy(main, other):
        return None
    then, now = (other, main) if other.finished < main.finished else (main, other)
    return Rerun(then, now, read(then), read(now))


def same_run(a: Result, b: Result) -> bool:
    """Whether two complete records of a cell had the same settings, rows and backbone."""
    complete = a.status == b.status == "complete" and present(a.score) and present(b.score)
    return complete and _asked(a) == _asked(b)


def is_copy(main: Result, other: Result) -> bool:
    """Whether two records are of one and the same training."""
    return replace(other, adapter=main.adapter, predictions=main.predictions) == main


def _asked(result: Result) -> tuple[Any, ...]:
    settings = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in result.hyperparameters.items()
    }
    return result.seed, settings, result.data_digest, result.backbone_digest, result.template


def environment_of(result: Result) -> Mapping[str, str]:
    """What a record was made in; of one that was written before this was kept, what is known."""
    return result.environment or {**result.versions, **result.origin}


def changes(then: Result, now: Result) -> tuple[str, ...]:
    """In what the environments of two records differ: "threads 1 → 2"; empty where in nothing."""
    before, after = environment_of(then), environment_of(now)
    named = [key for key in (*after, *before) if key in before and key in after]
    different = [key for key in dict.fromkeys(named) if before[key] != after[key]]
    shown = [f"{key} {before[key]} → {after[key]}" for key in different if key not in CODES]
    return (*shown, *(f"another state of the {key}" for key in different if key in CODES))


def drifts(
    reruns: Iterable[Rerun], results: Sequence[Result]
) -> dict[tuple[str, ...], tuple[Drift, ...]]:
    """What differs between the environments → how far each method on each task moved.

    Args:
        reruns: Cells that were trained twice.
        results: The comparison's cells, whose seeds say what a seed changes.
    """
    groups: dict[tuple[str, ...], dict[tuple[str, str], list[Rerun]]] = {}
    for one in reruns:
        of_change = groups.setdefault(changes(one.then, one.now), {})
        of_change.setdefault((one.now.task, one.now.method), []).append(one)
    return {
        change: tuple(_drift(each, results) for each in of_change.values())
        for change, of_change in groups.items()
    }


def _drift(reruns: Sequence[Rerun], results: Sequence[Result]) -> Drift:
    first = reruns[0].now
    scores = [
        float(row.score)
        for row in results
        if (row.task, row.method, row.status) == (first.task, first.method, "complete")
        and row.score is not None
    ]
    counted = [_answers(one) for one in reruns]
    return Drift(
        first.task,
        first.method,
        first.metric,
        tuple(one.now.seed for one in reruns),
        fmean(one.then.score or 0.0 for one in reruns),
        fmean(one.now.score or 0.0 for one in reruns),
        sum(count for count, _, _ in counted),
        sum(changed for _, changed, _ in counted),
        max(moved for _, _, moved in counted),
        stdev(scores) if len(scores) > 1 else None,
    )


def _answers(one: Rerun) -> tuple[int, int, float]:
    """Answers that can be compared, those that changed, and the most that a number moved."""
    then, now = one.answers_then, one.answers_now
    if then is None or now is None or then.ids != now.ids:
        return 0, 0, 0.0
    pairs = list(zip(then.predictions, now.predictions, strict=True))
    numbers = [(a, b) for a, b in pairs if isinstance(a, float) and isinstance(b, float)]
    for name in then.more.keys() & now.more.keys():
        numbers += [
            (a, b)
            for a, b in zip(then.more[name], now.more[name], strict=False)
            if isinstance(a, float) and isinstance(b, float)
        ]
    moved = max((abs(a - b) for a, b in numbers), default=0.0)
    return len(pairs), sum(a != b for a, b in pairs), moved


def summary(groups: Mapping[tuple[str, ...], Sequence[Drift]]) -> str:
    """The whole in one sentence, which starts with "no drift" or "drift"."""
    every = [one for of_change in groups.values() for one in of_change]
    cells = len({(one.task, one.method, seed) for one in every for seed in one.seeds})
    again = "one cell run again" if cells == 1 else f"{cells} cells run again"
    unknown = sum(not one.answers for one in every)
    if all(one.then == one.now for one in every) and not any(one.changed for one in every):
        moved = max((one.moved for one in every), default=0.0)
        if unknown:
            return f"no drift of scores: {again}; not all answers are stored, so these are not seen"
        if moved:
            return f"no drift: {again}, all predictions equal; a number moved by up to {moved:.1g}"
        return f"no drift: {again}, all predictions equal"
    most = max(every, key=lambda one: abs(one.difference))
    changed, answers = sum(one.changed for one in every), sum(one.answers for one in every)
    beside = (
        "; one seed says nothing of what another would change"
        if most.spread is None
        else f", {'less' if abs(most.difference) < most.spread else 'no less'} than the seeds' "
        f"standard deviation of {most.spread:.3f}"
    )
    return (
        f"drift: {again}, {changed:,} of {answers:,} predictions changed; the largest difference "
        f"of scores is {most.difference:+.3f} ({most.method} on {most.task}){beside}"
    )
