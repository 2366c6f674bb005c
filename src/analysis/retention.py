"""How much tuned models forget: their loss on plain text beside the untuned model's.

With d_i the change of text i's summed loss and n_i its tokens, the change per token is a ratio of
two sums, sum d / sum n. Text i adds to it, linearised (Cochran 1977, section 6.4),

    change + (d_i - change · n_i) N / sum n

which average to the change, and whose variance over texts is that of the ratio. These values cross
seeds with texts as right answers cross them with examples, and so have the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..records import Comparison, PlainTextLosses
from .cells import Cell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """Nats per token by which a model is worse on plain text than the untuned one."""

    value: float
    """Of this cell."""
    interval: tuple[float, float]
    """The 95 % interval of its method's mean, over texts and, where there are several, seeds."""


@dataclass(frozen=True)
class Forgetting:
    """What was measured of one cell."""

    folded: Change
    """In the form that is served."""
    as_trained: Change
    source: str
    """Which texts."""
    texts: int


def with_forgetting(cells: Sequence[Cell], comparison: Comparison) -> tuple[Cell, ...]:
    """The cells, each with what its model forgot where that was measured.

    All cells of a task are shown on the texts that one of them was last measured on.
    """
    known = _newest(cells, comparison)
    if not known:
        return tuple(cells)
    methods: dict[tuple[str, str], list[PlainTextLosses]] = {}
    for cell in cells:
        if cell.result.cell in known:
            name = cell.task, cell.result.method
            methods.setdefault(name, []).append(known[cell.result.cell])
    intervals = {name: _intervals(each) for name, each in methods.items()}
    return tuple(
        replace(cell, forgetting=_forgetting(one, *intervals[cell.task, cell.result.method]))
        if (one := known.get(cell.result.cell)) is not None
        else cell
        for cell in cells
    )


def per_token(tuned: Sequence[float], losses: PlainTextLosses) -> float:
    """By how many nats per token a tuned model's loss is above the untuned model's."""
    return (math.fsum(tuned) - math.fsum(losses.untuned)) / sum(losses.tokens)


def _forgetting(
    one: PlainTextLosses, folded: tuple[float, float], as_trained: tuple[float, float]
) -> Forgetting:
    return Forgetting(
        Change(per_token(one.folded, one), folded),
        Change(per_token(one.as_trained, one), as_trained),
        one.source,
        len(one.tokens),
    )


def _newest(cells: Sequence[Cell], comparison: Comparison) -> Mapping[str, PlainTextLosses]:
    """Cell → its losses on the texts that its task was last measured on."""
    complete = {cell.result.cell: cell for cell in cells if cell.result.status == "complete"}
    usable = [
        one
        for one in comparison.retention
        if one.cell in complete
        and one.trained == complete[one.cell].result.finished
        and _is_whole(one)
    ]
    last: dict[str, PlainTextLosses] = {}
    for one in sorted(usable, key=lambda one: one.finished):
        last[complete[one.cell].task] = one
    return {one.cell: one for one in usable if one.texts == last[complete[one.cell].task].texts}


def _is_whole(one: PlainTextLosses) -> bool:
    """Whether it can be computed with: records may come from a stranger."""
    lengths = {len(each) for each in (one.tokens, one.untuned, one.as_trained, one.folded)}
    return len(lengths) == 1 and len(one.tokens) > 1 and min(one.tokens) > 0


def _intervals(cells: Sequence[PlainTextLosses]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The 95 % intervals of the mean changes of a method's cells, folded and as trained."""
    return (
        _interval([(one.folded, one) for one in cells]),
        _interval([(one.as_trained, one) for one in cells]),
    )


def _interval(cells: Sequence[tuple[Sequence[float], PlainTextLosses]]) -> tuple[float, float]:
    """The 95 % interval of the mean change of a method's cells."""
    import numpy as np

    from .verdict.crossed import crossed
    from .verdict.two_parts import quantile

    values = np.stack([_values(np.asarray(tuned), one) for tuned, one in cells])
    of_mean = crossed(values)
    half = quantile(0.025, of_mean.parts)
    return of_mean.difference - half, of_mean.difference + half


def _values(tuned: Floats, losses: PlainTextLosses) -> Floats:
    """What each text adds to the change (N)."""
    import numpy as np

    tokens = np.asarray(losses.tokens, dtype=np.float64)
    difference = tuned - np.asarray(losses.untuned)
    mean = difference.sum() / tokens.sum()
    values: Floats = mean + (difference - mean * tokens) * len(tokens) / tokens.sum()
    return values
