"""What is known of each method on a task: its score, its costs, and how sure it keeps limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .advice import Choice, Limit, Limits
from .cells import Cell
from .rows import mean
from .verdict import interval_of
from .verdict.pareto import Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Choices:
    """The methods of a task as an advice lists them, the highest score first."""

    def __init__(self, draws: Draws, cells: Sequence[Cell], metric: str, limits: Limits) -> None:
        """Compute all that an advice asks.

        Args:
            draws: Scores and costs, drawn anew.
            cells: The task's cells.
            metric: What scores are of.
            limits: What may be used.
        """
        self.draws, self.cells, self.metric, self.limits = draws, cells, metric, limits
        self.asked = _asked(limits)
        self._kept_by_limit = self._kept()
        self.ranked = tuple(
            sorted(map(self._choice, draws.methods), key=lambda one: one.score, reverse=True)
        )

    def least_sure_limit(self, choice: Choice) -> Limit:
        """The limit that a method is least sure to keep."""
        place = self.draws.place(choice.method)
        kept = {name: each[:, place].mean() for name, each in self._kept_by_limit.items()}
        return min(kept, key=lambda name: kept[name])

    def _kept(self) -> dict[Limit, NDArray[np.bool_]]:
        """Limit → in which draws each method keeps it (b m); a limit on nothing measured is out."""
        kept: dict[Limit, NDArray[np.bool_]] = {}
        for name, value in self.asked.items():
            if name == "score":
                kept[name] = self.draws.scores >= value
            elif name in self.draws.costs:
                kept[name] = np.asarray(self.draws.costs[name] <= value)
        return kept

    def _sizes(self) -> Floats:
        """What counts as each method's size (m)."""
        if self.limits.tasks_served is None:
            return self.draws.means["weights"]
        return np.array([self.limits.storage(m, self._stored(m)) for m in self.draws.methods])

    def _stored(self, method: str) -> float:
        """Weights that a method keeps for one task, head included."""
        of_method = [c.result for c in self.cells if c.result.method == method]
        counts = [
            (r.stored_params or 0) + (r.trainable_params_with_head or 0) - (r.trainable_params or 0)
            for r in of_method
            if r.status == "complete"
        ]
        return sum(counts) / len(counts)

    def _choice(self, method: str) -> Choice:
        """What is known of one method."""
        place = self.draws.place(method)
        drawn = self.draws.scores[:, place]
        kept = np.ones(len(drawn), dtype=bool)
        for each in self._kept_by_limit.values():
            kept = kept & each[:, place]
        sizes = self._sizes()
        on_front = self.draws.on_front({"weights": sizes})[:, place]
        low, high = interval_of(drawn, self.metric)
        cells = [cell for cell in self.cells if cell.result.method == method]
        done = [cell.result for cell in cells if cell.result.status == "complete"]
        costs = {name: float(of[place]) for name, of in self.draws.means.items()}
        score = self._score(cells)
        values = {**costs, "score": score}
        broken = tuple(
            name
            for name, limit in self.asked.items()
            if name in values
            and (values[name] < limit if name == "score" else values[name] > limit)
        )
        return Choice(
            method=method,
            score=score,
            low=low,
            high=high,
            weights=costs["weights"],
            size=float(sizes[place]),
            latency=costs.get("latency"),
            memory=costs.get("memory"),
            keeps=float(kept.mean()),
            on_front=float(on_front.mean()),
            probability=float((kept & on_front).mean()),
            broken=broken,
            cell=next((result.cell for result in done if result.adapter), ""),
            hyperparameters=done[0].hyperparameters,
        )

    def _score(self, cells: Sequence[Cell]) -> float:
        """A method's mean score, over folds of the mean over seeds."""
        parts: dict[int, list[float | None]] = {}
        for cell in cells:
            if cell.result.status == "complete":
                number = 0 if cell.fold is None else cell.fold.number
                parts.setdefault(number, []).append(cell.result.score)
        means = [mean(part) for part in parts.values()]
        return float(np.mean([one.value for one in means if one is not None]))


def _asked(limits: Limits) -> dict[Limit, float]:
    """The limits that were set."""
    known: dict[Limit, float | None] = {
        "weights": limits.weights,
        "latency": limits.latency,
        "memory": limits.memory,
        "score": limits.score,
    }
    return {name: value for name, value in known.items() if value is not None}
