"""Splits that anyone can make again: stratified, seeded, the same on every machine.

A row's place in the draw is the sha256 of seed and id, so it depends neither on the order of the
file nor on a library's random generator. The task's objective says what the strata are: classes,
or bins of values. Quotas are shared out by largest remainder, in whole numbers throughout.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Sequence

from ..errors import UserError
from ..objectives import Stratum, get_objective
from .tasks import Examples, Task


def train_validation_split(
    train: Examples, task: Task, *, share: float, most: int, cap: int, seed: int
) -> tuple[Examples, Examples]:
    """Cap the training rows, then set some aside for selection: (train, validation), disjoint.

    Both keep the order of the file. Validation holds `min(share * n, most)` rows, rounded down
    and at least one; every class keeps a row in train, and has one in validation where as many
    rows as classes are set aside.

    Args:
        train: the rows, with ids that differ.
        task: its objective says what the strata are.
        share: of the capped rows, between 0 and 1.
        most: the largest validation set.
        cap: at most so many rows in all; 0 means all.
        seed: of the draw.

    Raises:
        UserError: a class with fewer than two rows, or a cap that leaves it fewer than two.
    """
    _check(train, task, cap)
    if cap and cap < len(train):
        train = train.take(_draw(train, task, cap, seed, least=2, spare=0))
    aside = max(1, min(int(share * len(train)), most))
    least = 1 if aside >= len(_strata(train, task)) else 0
    held = _draw(train, task, aside, seed, least=least, spare=1)
    return _part(train, held)


def hold_out(rows: Examples, task: Task, *, share: float, seed: int) -> tuple[Examples, Examples]:
    """A stratified test split of `share` of the rows: (train, test).

    Every class keeps at least two rows in train, so one of two rows is never held out.

    Raises:
        UserError: too few rows to hold out any.
    """
    wanted = max(1, int(share * len(rows)))
    kept = get_objective(task.objective).kept
    spare = sum(max(0, len(stratum.rows) - kept) for stratum in _strata(rows, task))
    if spare < wanted or len(rows) - wanted < 2:
        raise UserError(
            f"task '{task.name}': {wanted} of {len(rows)} rows would be held out for the test, but "
            f"two of each class must stay for training; give a test file"
        )
    return _part(rows, _draw(rows, task, wanted, seed, least=0, spare=kept))


def _part(rows: Examples, held: Sequence[int]) -> tuple[Examples, Examples]:
    out = set(held)
    return rows.take([i for i in range(len(rows)) if i not in out]), rows.take(list(held))


def _check(train: Examples, task: Task, cap: int) -> None:
    if len(train) < 2:
        raise UserError(f"task '{task.name}': training needs at least 2 rows, but got {len(train)}")
    strata = _strata(train, task)
    for stratum in strata:
        if len(stratum.rows) < 2:
            raise UserError(
                f"task '{task.name}': every class needs at least 2 training rows (one to learn "
                f"from, one to select on), but '{stratum.name}' has {len(stratum.rows)}"
            )
    if 0 < cap < min(len(train), 2 * len(strata)):
        raise UserError(
            f"task '{task.name}': the cap on training examples must be at least 2 for each of "
            f"{len(strata)} {get_objective(task.objective).strata_are}, but got {cap}"
        )


def _strata(rows: Examples, task: Task) -> list[Stratum]:
    """Row numbers by stratum; no stratum is empty."""
    return get_objective(task.objective).strata(task, rows.ids, rows.labels)


def _draw(
    rows: Examples, task: Task, wanted: int, seed: int, *, least: int, spare: int
) -> list[int]:
    """`wanted` row numbers in file order; each stratum gives `least` and keeps `spare`."""
    strata = _strata(rows, task)
    sizes = [len(stratum.rows) for stratum in strata]
    quotas = apportion(sizes, wanted, least=least, spare=spare)
    drawn = []
    for stratum, quota in zip(strata, quotas, strict=True):
        drawn += sorted(stratum.rows, key=lambda i: (_key(seed, rows.ids[i]), i))[:quota]
    return sorted(drawn)


def apportion(sizes: Sequence[int], wanted: int, *, least: int = 0, spare: int = 0) -> list[int]:
    """Share `wanted` among strata in proportion to their sizes, by largest remainder.

    Each gets between `least` and its size less `spare`; where these bounds do not allow the sum
    `wanted`, the nearest sum that they allow is given.
    """
    total = sum(sizes)
    highs = [max(0, size - spare) for size in sizes]
    lows = [min(least, high) for high in highs]
    quotas = [
        min(max(wanted * size // total, low), high)
        for size, low, high in zip(sizes, lows, highs, strict=True)
    ]
    _move(
        quotas, min(wanted, sum(highs)), 1, highs, lambda k: total * quotas[k] - wanted * sizes[k]
    )
    _move(quotas, max(wanted, sum(lows)), -1, lows, lambda k: wanted * sizes[k] - total * quotas[k])
    return quotas


def _move(
    quotas: list[int], goal: int, step: int, bounds: Sequence[int], order: Callable[[int], int]
) -> None:
    """Add `step` to one quota after the other until their sum is the goal.

    The next is the first of those with the least `order` that have not reached their bound.
    """
    missing = step * (goal - sum(quotas))
    if missing <= 0:
        return
    waiting = [(order(k), k) for k, quota in enumerate(quotas) if step * (bounds[k] - quota) > 0]
    heapq.heapify(waiting)
    for _ in range(missing):
        _, k = heapq.heappop(waiting)
        quotas[k] += step
        if quotas[k] != bounds[k]:
            heapq.heappush(waiting, (order(k), k))


def _key(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
