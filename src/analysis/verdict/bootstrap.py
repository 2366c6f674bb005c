"""Scores as other seeds and other test examples would have given them: a two-way bootstrap.

The error of all methods' mean scores on a task is drawn as a whole, so that what seeds and examples
have in common between methods stays in common. As for one pair (`crossed`) it has two parts:

    seeds      the deviations of the seeds' scores, each with a normal weight that all methods share
               (a wild bootstrap), over the root of a chi-square: any contrast of methods that have
               the same S seeds is Student's t with S - 1 degrees of freedom
    examples   the mean over N examples that are drawn anew: by the central limit theorem normal,
               with the covariance (MS_b - MS_e) / (S N) of the methods' pseudo-values

Plain resampling of rows and columns has two faults that these draws have not. Three seeds drawn
with replacement vary by 2/3 of what three seeds do, and never further than the three: its 95 %
intervals cover about 80 %. And what seed and example do together is counted in both parts, so that
many seeds make them too wide. `tests/analysis/verdict/test_bootstrap.py` holds both forms beside
each other, where they must agree and where they must not.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..cells import Cell
from ..format import present
from ..metric_range import clipped
from ..rows import fold_scores
from .matching import Scored, matched
from .pairs import scored_methods
from .pseudo_values import CannotPair

Floats = NDArray[np.float64]

DRAWS = 4000
"""A share of draws is known to ± 0.016 at worst."""
START = 20261130
"""Of every generator, together with the task's name: a report comes out the same each time."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """The mean scores of a task's methods, as they are and as they might have been."""

    task: str
    methods: tuple[str, ...]
    """Those that could be resampled."""
    scores: Floats
    """Mean score over seeds, or over folds (m)."""
    draws: Floats
    """The same, drawn anew (b m)."""
    seeds: int
    """The fewest seeds, or folds, of a method; with 1 the draws are of test examples alone."""
    folds: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)
    """Method → why it could not be resampled."""

    def of(self, method: str) -> Floats | None:
        """A method's draws (b); none where it has none."""
        return self.draws[:, self.methods.index(method)] if method in self.methods else None


def interval_of(drawn: Floats, metric: str) -> tuple[float, float]:
    """The 95 % interval that a score's draws (b) give, which ends where its metric does."""
    low, high = np.quantile(drawn, (0.025, 0.975))
    return clipped(float(low), float(high), metric)


def generator_of(*names: str) -> np.random.Generator:
    """The generator of a task's draws: the same in every process, another for every name."""
    return np.random.default_rng([START, *(zlib.crc32(name.encode()) for name in names)])


def resampled(cells: Sequence[Cell], task: str, draws: int = DRAWS) -> Resampled:
    """Draw the scores of a task's methods anew.

    Args:
        cells: The cells of a comparison with their stored answers; those of other tasks are passed
            over.
        task: The task's name; of a cross-validation the file's.
        draws: How many.
    """
    generator = generator_of(task)
    of_task = [cell for cell in cells if cell.task == task]
    if any(cell.fold is not None for cell in of_task):
        return _resampled_folds(of_task, task, generator, draws)
    _, usable, unusable = scored_methods(of_task, task)
    # Of several searches each is one repetition, as in the pairs.
    usable = {method: one.by_search() for method, one in usable.items()}
    alike, missing = _alike(usable, unusable)
    scores = np.array([np.mean(one.scores) for one in alike])
    if not alike:
        return Resampled(task, (), scores, np.empty((draws, 0)), 0, missing=missing)
    by_seed = seed_table([dict(zip(one.seeds, one.scores, strict=True)) for one in alike])
    errors = seed_errors(by_seed, generator, draws) + example_errors(alike, generator, draws)
    return Resampled(
        task,
        tuple(one.method for one in alike),
        scores,
        scores + errors,
        min(len(one.seeds) for one in alike),
        missing=missing,
    )


def _alike(
    usable: Mapping[str, Scored], unusable: Mapping[str, CannotPair]
) -> tuple[list[Scored], dict[str, str]]:
    """The methods that were tested like the first one, and why the others are not there."""
    alike: list[Scored] = []
    reasons = {method: str(why) for method, why in unusable.items()}
    for method, one in usable.items():
        try:
            # Seeds need not be shared here, but metric, examples and labels must be.
            if alike:
                matched(alike[0].at(alike[0].seeds[:1]), _first_as(one, alike[0].seeds[0]))
            alike.append(one)
        except CannotPair as why:
            reasons[method] = f"{alike[0].method} and {method}: {why}"
    return alike, reasons


def _first_as(one: Scored, seed: int) -> Scored:
    """Its first seed under another number."""
    return replace(one.at(one.seeds[:1]), seeds=(seed,))


def _resampled_folds(
    cells: Sequence[Cell], task: str, generator: np.random.Generator, draws: int
) -> Resampled:
    """The means over the folds of a cross-validation, with Nadeau and Bengio's variance."""
    methods: dict[str, list[Cell]] = {}
    for cell in cells:
        methods.setdefault(cell.result.method, []).append(cell)
    known, missing = {}, {}
    for method, its in methods.items():
        folds = fold_scores([cell for cell in its if cell.result.status == "complete"])
        if folds is None or len(folds.scores) < folds.count:
            missing[method] = f"{method} is not complete in every fold"
        else:
            known[method] = folds
    names = tuple(known)
    table = seed_table([one.scores for one in known.values()])
    scores = table.mean(1) if names else np.empty(0)
    count = table.shape[1]
    # Folds share training rows: (1/K + n_test / n_train) s² instead of s²/K.
    wider = np.array([np.sqrt(1 + one.count * one.ratio) for one in known.values()])
    errors = seed_errors(table, generator, draws) * wider
    return Resampled(task, names, scores, scores + errors, count, folds=True, missing=missing)


def seed_table(values: Sequence[Mapping[int, float]]) -> Floats:
    """Numbers by seed as a table (m u), NaN where a method does not have the seed."""
    seeds = sorted({seed for one in values for seed in one})
    table = np.full((len(values), len(seeds)), np.nan)
    for row, one in zip(table, values, strict=True):
        row[:] = [one.get(seed, np.nan) for seed in seeds]
    return table


def seed_errors(table: Floats, generator: np.random.Generator, draws: int) -> Floats:
    """The errors of means over seeds (b m), from the numbers of each seed (m u).

    A seed has one weight for all methods, so that those that share seeds are drawn together. One
    seed gives no error: it cannot say how much another would differ.
    """
    methods, seeds = table.shape
    there = np.isfinite(table)
    counts = there.sum(1)
    weights = generator.standard_normal((draws, seeds))
    squares = np.cumsum(generator.standard_normal((draws, max(1, seeds))) ** 2, axis=1)
    if not methods:
        return np.empty((draws, 0))
    means = np.where(there, table, 0).sum(1) / np.maximum(1, counts)
    deviations = np.where(there, table - means[:, None], 0.0)
    degrees = np.maximum(1, counts - 1)
    student = np.sqrt(degrees / squares[:, degrees - 1])
    errors: Floats = weights @ deviations.T / np.sqrt(np.maximum(1, counts) * degrees) * student
    return errors


def example_errors(methods: Sequence[Scored], generator: np.random.Generator, draws: int) -> Floats:
    """The errors of means over test examples (b m), without what the seeds' part has already."""
    covariance = example_covariance(methods)
    sizes, axes = np.linalg.eigh(covariance)
    root = axes * np.sqrt(np.maximum(sizes, 0.0))
    n = methods[0].values.shape[1]
    student = np.sqrt((n - 1) / generator.chisquare(n - 1, draws))
    errors: Floats = generator.standard_normal((draws, len(methods))) @ root.T * student[:, None]
    return errors


def example_covariance(methods: Sequence[Scored]) -> Floats:
    """The covariance of mean scores that the test examples give (m m): (MS_b - MS_e) / (S N).

    With one seed example and rest cannot be told apart, and nothing is taken off.
    """
    n = methods[0].values.shape[1]
    means = np.stack([one.values.mean(0) for one in methods])
    covariance: Floats = np.atleast_2d(np.cov(means)) / n
    for i, one in enumerate(methods):
        for j, other in enumerate(methods[: i + 1]):
            shared = [seed for seed in one.seeds if seed in other.seeds]
            if len(shared) < 2:
                continue
            rest = (_rest(one, shared) * _rest(other, shared)).sum()
            rest /= (len(shared) - 1) * (n - 1) * n
            rest *= len(shared) / (len(one.seeds) * len(other.seeds))
            covariance[i, j] -= rest
            if i != j:
                covariance[j, i] -= rest
    return covariance


def _rest(one: Scored, seeds: Sequence[int]) -> Floats:
    """What neither seed nor example explains of the pseudo-values on these seeds (s N)."""
    values = one.at(seeds).values
    rest: Floats = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    return rest


def cell_table(cells: Sequence[Cell], methods: Sequence[str], name: str) -> Floats:
    """A measurement of every complete cell (m u): NaN where a method has none of a seed.

    Args:
        cells: The cells of one task; in a cross-validation of all its folds.
        methods: Whose.
        name: "latency_ratio" or "peak_memory_mib".
    """
    by_method: dict[str, dict[int, float]] = {method: {} for method in methods}
    keys: dict[tuple[int, int], int] = {}
    for cell in cells:
        result = cell.result
        single = cell.single
        ratio = None if single is None else single.ratio
        value = ratio if name == "latency_ratio" else result.peak_memory_mib
        if value is None or not (present(value) and value > 0):
            continue
        if result.method in by_method and result.status == "complete":
            fold = 0 if cell.fold is None else cell.fold.number
            key = keys.setdefault((fold, result.seed), len(keys))
            by_method[result.method][key] = float(value)
    return seed_table(list(by_method.values()))
