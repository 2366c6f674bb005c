"""From cells to rows: one row for each task and method, one for each reference, none dropped."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from ..records import Comparison, Latency, Reference, Result, Status
from .words import Number, present

STATUSES: tuple[Status, ...] = get_args(Status)
"""Every way a cell may end, in the order in which they are counted."""


@dataclass(frozen=True)
class Mean:
    """A number over the seeds of a row."""

    value: float
    spread: float | None
    """Sample standard deviation; none for one seed."""


@dataclass(frozen=True)
class Failure:
    """Cells of one task and method that ended alike, and not well."""

    task: str
    method: str
    seeds: tuple[int, ...]
    status: Status
    reason: str


@dataclass(frozen=True)
class Row:
    """One line of a task's table: a method over its seeds, or a reference without training."""

    task: str
    name: str
    trained: bool
    """False for a reference row."""
    metric: str
    score: Mean | None
    """The task's own metric; none while no seed is complete."""
    accuracy: Mean | None
    metrics: dict[str, Mean]
    """Every test metric by name."""
    trainable_params: float | None = None
    trainable_params_with_head: float | None = None
    stored_params: float | None = None
    latency_ms: float | None = None
    latency_ratio: float | None = None
    """Latency over the bare backbone's."""
    train_seconds: float | None = None
    peak_memory_mib: float | None = None
    complete: int = 0
    """Seeds that ended well."""
    planned: int = 0
    test_examples: int = 0
    failures: tuple[Failure, ...] = ()


def cells(comparison: Comparison) -> tuple[Result, ...]:
    """Every planned cell; one that the records do not hold is added as missing."""
    there = {(r.task, r.method, r.seed) for r in comparison.results}
    planned = (
        (task, method, seed)
        for task in comparison.tasks
        for method in comparison.methods
        for seed in comparison.seeds
    )
    absent = (
        Result(f"{task}/{method}/{seed}", f"{task}/{method}", task, method, seed, "missing")
        for task, method, seed in planned
        if (task, method, seed) not in there
    )
    return (*comparison.results, *absent)


def tally(comparison: Comparison) -> dict[Status, int]:
    """How many cells ended in each way; the values add up to the plan."""
    ended = [r.status for r in cells(comparison)]
    return {status: ended.count(status) for status in STATUSES}


def tally_line(comparison: Comparison) -> str:
    """The plan as a sum: "16 planned = 15 complete + 0 diverged + …"."""
    counts = tally(comparison)
    parts = " + ".join(f"{number} {status}" for status, number in counts.items())
    return f"{sum(counts.values())} planned = {parts}"


def rows(comparison: Comparison, task: str) -> list[Row]:
    """The task's rows: methods in the order asked for, then the references."""
    own = [r for r in cells(comparison) if r.task == task]
    metric = next((r.metric for r in own if r.metric), "")
    methods = dict.fromkeys((*comparison.methods, *(r.method for r in own)))
    trained = [_method([r for r in own if r.method == m], task, m, metric) for m in methods]
    untrained = [_reference(r, metric) for r in comparison.references if r.task == task]
    return trained + untrained


def failures(results: Iterable[Result]) -> tuple[Failure, ...]:
    """The cells that are not complete, those of a kind together, in the order of the plan."""
    seeds: dict[tuple[str, str, Status, str], list[int]] = {}
    for r in results:
        if r.status != "complete":
            seeds.setdefault((r.task, r.method, r.status, r.reason), []).append(r.seed)
    return tuple(Failure(t, m, tuple(s), status, why) for (t, m, status, why), s in seeds.items())


def first_latency(result: Result) -> Latency | None:
    """The batch-1 measurement that `latency_ms` is the median of."""
    single = [m for m in result.latency if m.batch == 1]
    return min(single, key=lambda m: abs(m.median_ms - (result.latency_ms or 0)), default=None)


def mean(values: Iterable[Number | None]) -> Mean | None:
    """Mean and spread of the finite numbers; none where there are none."""
    known = [v for v in values if v is not None and present(v)]
    if not known:
        return None
    return Mean(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None)


def _method(results: Sequence[Result], task: str, method: str, metric: str) -> Row:
    """One method's seeds as a row."""
    done = [r for r in results if r.status == "complete"]
    latencies = [first_latency(r) for r in done]
    names = dict.fromkeys(name for r in done for name in r.metrics)
    averages = {name: mean(r.metrics.get(name) for r in done) for name in names}
    return Row(
        task=task,
        name=method,
        trained=True,
        metric=metric,
        score=mean(r.score for r in done),
        accuracy=mean(r.accuracy for r in done),
        metrics={name: value for name, value in averages.items() if value is not None},
        trainable_params=_value(r.trainable_params for r in done),
        trainable_params_with_head=_value(r.trainable_params_with_head for r in done),
        stored_params=_value(r.stored_params for r in done),
        latency_ms=_value(r.latency_ms for r in done),
        latency_ratio=_value(m.ratio for m in latencies if m is not None),
        train_seconds=_value(r.train_seconds for r in done),
        peak_memory_mib=_value(r.peak_memory_mib for r in done),
        complete=len(done),
        planned=len(results),
        test_examples=max((r.test_examples for r in results), default=0),
        failures=failures(results),
    )


def _reference(reference: Reference, metric: str) -> Row:
    """A row that needs no training."""
    return Row(
        task=reference.task,
        name=reference.name,
        trained=False,
        metric=metric,
        score=mean([reference.score]),
        accuracy=mean([reference.accuracy]),
        metrics={name: Mean(value, None) for name, value in reference.metrics.items()},
    )


def _value(values: Iterable[Number | None]) -> float | None:
    """The mean alone."""
    average = mean(values)
    return None if average is None else average.value
