"""How far the winners of several searches differ, beside how far the seeds of one winner do."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .cells import Cell
from .format import present
from .rows import by_search


@dataclass(frozen=True)
class SearchSpread:
    """One method on one task, searched several times with other draws."""

    method: str
    scores: tuple[float, ...]
    """Each winner's mean test score over its seeds, in the order of the searches."""
    over_searches: float | None
    """Standard deviation of these; none for one. Part of it is the seeds'."""
    over_seeds: float | None
    """Standard deviation of the seeds of one winner, pooled; none where none has two seeds."""


def search_spreads(cells: Iterable[Cell], task: str) -> tuple[SearchSpread, ...]:
    """Each method with a score; none without several searches, and none in a cross-validation."""
    methods: dict[str, list[Cell]] = {}
    for cell in cells:
        result = cell.result
        known = result.status == "complete" and result.score is not None and present(result.score)
        if cell.task == task and known and cell.searches > 1 and cell.fold is None:
            methods.setdefault(result.method, []).append(cell)
    return tuple(_spread(method, of_method) for method, of_method in methods.items())


def _spread(method: str, cells: Sequence[Cell]) -> SearchSpread:
    parts = [
        [float(cell.result.score or 0.0) for cell in part]
        for _, part in sorted(by_search(cells).items())
    ]
    means = tuple(statistics.fmean(part) for part in parts)
    freedom = sum(len(part) - 1 for part in parts)
    squares = sum(statistics.variance(part) * (len(part) - 1) for part in parts if len(part) > 1)
    return SearchSpread(
        method,
        means,
        statistics.stdev(means) if len(means) > 1 else None,
        math.sqrt(squares / freedom) if freedom else None,
    )
