"""What a cell answered to the test examples, read back from its Parquet file.

The analysis takes a reader and not a folder, so that statistics which pair the answers of two
methods can be tested without files, and a later store can bring a reader of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..files import resolved
from ..records import Result

PROBABILITY = "probability_"
"""How the names of the columns begin that hold a probability for each class, in their order."""


@dataclass(frozen=True)
class Predictions:
    """The answers of one cell, one entry for each test example, in the order of the test rows."""

    ids: tuple[Any, ...]
    """By which the answers of two cells to the same example are paired."""
    labels: tuple[Any, ...]
    predictions: tuple[Any, ...]
    more: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Further columns of the file by name, such as a probability for each class."""

    @cached_property
    def right(self) -> tuple[bool, ...]:
        """Whether each answer is its label."""
        pairs = zip(self.predictions, self.labels, strict=True)
        return tuple(answer == label for answer, label in pairs)

    @property
    def is_constant(self) -> bool:
        """Whether all answers are the same although the labels are not."""
        # Labels may be lists, which no set can hold; their text can.
        return len(set(map(repr, self.predictions))) == 1 < len(set(map(repr, self.labels)))


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The answers of several cells to different examples, as if one cell had given them."""
    if len(parts) == 1:
        return parts[0]
    ids, labels, answers = (
        tuple(value for one in parts for value in getattr(one, name))
        for name in ("ids", "labels", "predictions")
    )
    shared = [name for name in parts[0].more if all(name in one.more for one in parts)]
    more = {name: [value for one in parts for value in one.more[name]] for name in shared}
    return Predictions(ids, labels, answers, more)


PredictionReader = Callable[[Result], Predictions | None]
"""Gives what is stored of a cell's answers; none where nothing is."""


def read_from(out: Path) -> PredictionReader:
    """A reader of the prediction files that the records of an output folder name.

    A record may come from a stranger: a file outside the folder is not opened. A file that is gone,
    damaged or of another layout counts as none, since a report must not fail for it.
    """

    def read(result: Result) -> Predictions | None:
        folder, path = resolved(out), resolved(out / result.predictions)
        if not result.predictions or not path.is_relative_to(folder) or not path.is_file():
            return None
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            columns = pq.read_table(path).to_pydict()
        except (OSError, pa.ArrowException):
            return None
        if not {"id", "label", "prediction"} <= columns.keys():
            return None
        ids, labels, predictions = (columns.pop(key) for key in ("id", "label", "prediction"))
        return Predictions(tuple(ids), tuple(labels), tuple(predictions), columns)

    return read
