"""`until: decided`: how many seeds each method gets, look by look, and whether time allows more.

Which looks were taken is read off the records each time, so that a run that was stopped goes on
where it was, and a record that had to be made again counts as it is now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

from ..analysis import read_from
from ..analysis.budgets import budgets, search_texts
from ..analysis.cells import cells_of
from ..analysis.verdict import LOOKS, margin_of, sequential
from ..store.store import Plan, Store
from .plan import assemble

Counts = Mapping[tuple[str, str], int]
"""Task and method → how many seeds."""


@dataclass(frozen=True)
class Looks:
    """Where the looks of a comparison have come to."""

    plan: Plan
    """The cells of the look that comes next, or of the last one."""
    first: bool
    """Whether it is the first look that comes next."""


def looks(
    plan_with: Callable[[Counts], Plan],
    tasks: Iterable[str],
    methods: Iterable[str],
    store: Store,
) -> Looks:
    """Take the looks that the records allow, and plan the next.

    Args:
        plan_with: The comparison's plan with so many seeds.
        tasks: What is compared.
        methods: Likewise.
        store: The records.
    """
    first = True
    counts: Counts = dict.fromkeys(product(tasks, methods), LOOKS[0])
    plan = plan_with(counts)
    while True:
        comparison = assemble(plan, store)
        cells, margin = cells_of(comparison, read_from(store.out)), margin_of(comparison)
        budget = budgets(comparison)
        wanted = {
            (task, method): count
            for task in plan.tasks
            for method, count in sequential(
                cells, task, plan.methods, margin, search_texts(budget, task)
            ).wanted.items()
        }
        if wanted == counts:
            return Looks(plan, first)
        first, counts = False, wanted
        plan = plan_with(counts)


def without_missing(plan: Plan, store: Store) -> Plan:
    """Only the cells that are there: what a look was stopped in the midst of has no other rows."""
    cells = tuple(cell for cell in plan.cells if store.result(cell.cell) is not None)
    return replace(plan, cells=cells, seeds=tuple(dict.fromkeys(cell.seed for cell in cells)))


def most_seeds(plan: Plan) -> int:
    """The seeds of the look that a plan is for: those of the methods that are still in it."""
    return 1 + max(cell.seed for cell in plan.cells)


class Deadline:
    """The hours that a run may take."""

    def __init__(
        self,
        hours: float | None,
        clock: Callable[[], float] = time.monotonic,
        workers: Callable[[], int] = lambda: 1,
    ) -> None:
        """Count from now.

        Args:
            hours: The time that there is; none means no end.
            clock: Gives the time in seconds.
            workers: Gives how many cells are trained at a time.
        """
        self._clock, self._start, self._workers = clock, clock(), workers
        self._seconds = None if hours is None else 3600 * hours

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        return self._seconds is not None and self._clock() - self._start >= self._seconds

    def allows(self, plan: Plan, store: Store) -> bool:
        """Whether the cells of a plan that are not there can be trained in what is left."""
        if self._seconds is None:
            return True
        there = [result for cell in plan.cells if (result := store.result(cell.cell))]
        each = [one.train_seconds for one in there if one.train_seconds is not None]
        missing = len(plan.cells) - len(there)
        needed = missing * fmean(each) / self._workers() if each else 0.0
        return self._clock() - self._start + needed < self._seconds
