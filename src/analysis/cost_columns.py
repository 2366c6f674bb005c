"""The columns of what training costs and of what a tuned model forgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import format as formats
from .cells import Cell
from .column import CSV, METRICS, TABLES, Column, Value, View
from .retention import Change
from .training_cost import joules, padding_share, tokens_per_second

REPORT: frozenset[View] = TABLES - {"terminal"}
TRAINING: frozenset[View] = frozenset({"page_training", "markdown"})
STUDY: frozenset[View] = frozenset({"study_metric"})


def _folded(cell: Cell) -> Change | None:
    return None if cell.forgetting is None else cell.forgetting.folded


def _as_trained(cell: Cell) -> Change | None:
    return None if cell.forgetting is None else cell.forgetting.as_trained


def _change(of: Callable[[Cell], Change | None]) -> Callable[[Cell], float | None]:
    """Reads the change itself."""
    return lambda cell: None if (one := of(cell)) is None else one.value


def _interval(
    of: Callable[[Cell], Change | None],
) -> Callable[[Sequence[Cell]], tuple[float, float] | None]:
    """Reads the interval of a method, which is the same for all of its cells."""
    return lambda cells: next((one.interval for one in map(of, cells) if one is not None), None)


def _end(of: Callable[[Cell], Change | None], place: int) -> Callable[[Cell], float | None]:
    """Reads the lower (0) or the upper (1) end of that."""
    return lambda cell: None if (one := of(cell)) is None else one.interval[place]


def _target(cell: Cell) -> Value:
    return None if cell.target is None else cell.target.score


def _seconds(cell: Cell) -> Value:
    there = None if cell.target is None else cell.target.reached
    return None if there is None else there.seconds


def _steps(cell: Cell) -> Value:
    there = None if cell.target is None else cell.target.reached
    return None if there is None else there.step


COST_COLUMNS: tuple[Column, ...] = (
    Column(
        "tokens_per_second",
        lambda cell: tokens_per_second(cell.result.cost),
        TRAINING | CSV | METRICS,
        heading="tokens/s",
        description="Tokens of text that the steps read over their seconds; padding is none.",
        format=formats.thousands,
        table_place=3,
        optional=True,
    ),
    Column(
        "padding_share",
        lambda cell: padding_share(cell.result.cost),
        TRAINING | CSV | METRICS,
        heading="padding",
        description=(
            "The share of padding that the batches would have with each text as long as the "
            "longest; packed as they are they have none."
        ),
        format=formats.share,
        table_place=3,
        optional=True,
    ),
    Column(
        "seconds_to_target",
        _seconds,
        TRAINING | CSV | STUDY,
        heading="s to target",
        description=(
            "Seconds of training until the winner's trial first had the target as its validation "
            "score, looked at after each epoch: `target_score`, else the highest that every "
            "method of the task reached."
        ),
        table_place=3,
        optional=True,
    ),
    Column("steps_to_target", _steps, CSV | STUDY),
    Column("target_score", _target, CSV | STUDY),
    Column(
        "energy_j",
        lambda cell: joules(cell.result.cost),
        TRAINING | CSV | METRICS,
        heading="energy J",
        description=(
            "Joules of the machine while it trained, by its own counters (processors, GPU); "
            "measured only where nothing else of the comparison ran."
        ),
        table_place=3,
        optional=True,
    ),
    Column("energy_counters", lambda cell: ", ".join(cell.result.cost.joules), CSV),
    Column(
        "retention_change",
        _change(_folded),
        TABLES | CSV | METRICS,
        heading="forgets",
        description=(
            "By how many nats per token the served model's loss on plain text is above the untuned "
            "model's, with its 95 % interval; below 0 it is lower."
        ),
        format=formats.signed,
        interval=_interval(_folded),
        table_place=4,
        optional=True,
    ),
    Column(
        "retention_change_as_trained",
        _change(_as_trained),
        REPORT | CSV | METRICS,
        heading="forgets, as trained",
        description="The same before folding.",
        format=formats.signed,
        interval=_interval(_as_trained),
        table_place=4,
        optional=True,
    ),
    Column("retention_ci95_low", _end(_folded, 0), CSV | STUDY),
    Column("retention_ci95_high", _end(_folded, 1), CSV | STUDY),
    Column(
        "retention_texts",
        lambda cell: None if cell.forgetting is None else cell.forgetting.source,
        CSV,
    ),
)
"""They stand at the end of results.csv, where columns are only ever added."""
