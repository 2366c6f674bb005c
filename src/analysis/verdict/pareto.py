"""Which methods are on the Pareto front of score, weights, latency and memory, and how surely.

A method is on the front where no other is at least as good in everything and better in something.
Scores, latency ratios and peak memory are measured with an error, so that the front has one too:
the probability of a method is the share of draws, of other seeds and other test examples, in which
it is on it. Numbers of weights are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..cells import Cell
from ..format import present
from .bootstrap import Resampled, cell_table, generator_of, seed_errors

Floats = NDArray[np.float64]

COSTS = ("weights", "latency", "memory")
"""What is the better the less there is of it."""
LARGEST_LOG = 700.0
"""The logarithm of nearly the largest number that a float holds."""
MEASURED = {"latency": "latency_ratio", "memory": "peak_memory_mib"}
"""Costs that each seed has measured, and the columns that have them."""


@dataclass(frozen=True, eq=False)
class Draws:
    """What a task's methods score and cost, as it is and as it might have been."""

    methods: tuple[str, ...]
    """Those of which all of it is known."""
    scores: Floats
    """Drawn anew (b m)."""
    costs: Mapping[str, Floats]
    """Cost → drawn anew (b m); one that no method has measured is left out."""
    means: Mapping[str, Floats]
    """Cost → as measured, mean over seeds (m)."""
    seeds: int
    """The fewest seeds, or folds; with 1 only the scores vary, by the test examples alone."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Method → what is not known of it."""

    def place(self, method: str) -> int:
        """A method's column."""
        return self.methods.index(method)

    def on_front(self, replaced: Mapping[str, Floats] | None = None) -> NDArray[np.bool_]:
        """In which draws each method is on the front (b m).

        Args:
            replaced: Costs to count instead of the measured ones, (b m) or (m).
        """
        costs = {**self.costs, **(replaced or {})}
        columns = [-self.scores, *(np.broadcast_to(c, self.scores.shape) for c in costs.values())]
        return undominated(np.stack(columns, -1))

    @cached_property
    def membership(self) -> dict[str, float]:
        """Method → the probability that it is on the front."""
        return dict(zip(self.methods, self.on_front().mean(0).tolist(), strict=True))


def draws_of(cells: Sequence[Cell], task: str, scores: Resampled) -> Draws:
    """What the methods of a task cost, drawn anew beside their scores.

    Args:
        cells: The cells of a comparison; those of other tasks are passed over.
        task: The task's name; of a cross-validation the file's.
        scores: The same task's scores, drawn anew.
    """
    of_task = [cell for cell in cells if cell.task == task]
    methods = list(scores.methods)
    missing = dict(scores.missing)
    weights = _weights(of_task)
    tables = {cost: cell_table(of_task, methods, name) for cost, name in MEASURED.items()}
    # What nobody has measured is no part of the front; what some have, the others lack.
    tables = {cost: table for cost, table in tables.items() if np.isfinite(table).any()}
    known = np.array([method in weights for method in methods], dtype=bool)
    for number, method in enumerate(methods):
        gaps = [cost for cost, table in tables.items() if not np.isfinite(table[number]).any()]
        gaps += [] if known[number] else ["weights"]
        if gaps:
            missing[method] = f"{' and '.join(gaps)} of {method} not measured"
    kept = [number for number, method in enumerate(methods) if method not in missing]
    names = tuple(methods[number] for number in kept)
    generator = generator_of(task, "costs")
    size = len(scores.draws)
    means: dict[str, Floats] = {"weights": np.array([weights[name] for name in names], float)}
    costs = {"weights": np.broadcast_to(means["weights"], (size, len(names)))}
    for cost, table in tables.items():
        means[cost] = np.array([np.nanmean(table[number]) for number in kept])
        # A cost is above 0, and its error is as large as it is: so logarithms are drawn.
        logs = np.log(table[kept])
        middle = np.array([np.nanmean(row) for row in logs])
        # Two seeds have one degree of freedom, and now and then a draw that no float can hold.
        drawn = np.clip(middle + seed_errors(logs, generator, size), -LARGEST_LOG, LARGEST_LOG)
        costs[cost] = np.exp(drawn)
    return Draws(names, scores.draws[:, kept], costs, means, scores.seeds, missing)


def undominated(points: Floats) -> NDArray[np.bool_]:
    """Which of m points (... m k) no other one is better than; less is better in each of k."""
    one, other = points[..., :, None, :], points[..., None, :, :]
    dominated = np.all(other <= one, axis=-1) & np.any(other < one, axis=-1)
    beaten: NDArray[np.bool_] = np.asarray(np.any(dominated, axis=-1))
    return ~beaten


def _weights(cells: Sequence[Cell]) -> dict[str, float]:
    """Method → the weights that it trains, head not counted."""
    counted: dict[str, list[int]] = {}
    for cell in cells:
        count = cell.result.trainable_params
        if cell.result.status == "complete" and count is not None and present(count):
            counted.setdefault(cell.result.method, []).append(count)
    return {method: sum(counts) / len(counts) for method, counts in counted.items()}
