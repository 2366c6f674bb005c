"""What a column is: how it is read from a cell, how it is written, and where it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from . import format as formats
from .cells import Cell

Value = str | int | float | None
View = Literal[
    "terminal", "page", "page_training", "markdown", "csv", "cell_metric", "study_metric"
]
"""Where a column is shown: `page_training` is the page's second table, of what training took; a
study's metric in MLflow is the mean over its seeds."""

TABLES: frozenset[View] = frozenset({"terminal", "page", "markdown"})
METRICS: frozenset[View] = frozenset({"cell_metric", "study_metric"})
CSV: frozenset[View] = frozenset({"csv"})

Formatter = Callable[[float | None], str]


@dataclass(frozen=True)
class Column:
    """One column of every view that shows it."""

    name: str
    """Its key in results.csv and the name of its metric in MLflow."""
    read: Callable[[Cell], Value]
    """Its value for one cell; none where nothing was measured."""
    views: frozenset[View] = TABLES | CSV | METRICS
    heading: str = ""
    """What stands above it in the tables, its unit included; by default its name."""
    description: str = ""
    """One sentence for "How to read the tables"; only columns that have one are explained there."""
    format: Formatter = formats.significant
    """How a number is written on the page and in Markdown."""
    terminal_format: Formatter | None = None
    """How it is written on the terminal, where room is scarce; by default as elsewhere."""
    interval: Callable[[Sequence[Cell]], tuple[float, float] | None] | None = None
    """The 95 % interval of the mean of a method's cells: the tables write it behind the mean."""
    interval_views: frozenset[View] = TABLES
    """Tables that have room for it."""
    noisy: Callable[[Cell], bool] | None = None
    """Whether a cell was measured and has no number, since the machine was too unsteady for one."""
    optional: bool = False
    """Whether the tables do without it where no row has a number."""
    quality: bool = False
    """Whether it says how good the answers are: reference rows have it too, the tables show its
    spread over the seeds, and it stands before the costs."""
    text: bool = False
    """Whether tables show it although it is no number: a row shows what its cells agree on."""
    table_place: int = 9
    """Left to right in the tables; columns of one place stand in the order of this table. The order
    of results.csv is that of this table alone, where columns are only ever added at the end."""
    mlflow_width: int = 0
    """Points that it takes on MLflow's page; 0 where that does not show it unasked."""

    @property
    def title(self) -> str:
        """What stands above it in the tables."""
        return self.heading or self.name

    def shown(
        self,
        value: float | None,
        spread: float | None,
        view: View,
        interval: tuple[float, float] | None = None,
    ) -> str:
        """A number as the tables write it, with its standard deviation or interval if it has one.

        Args:
            value: The mean of a row.
            spread: Its standard deviation over the seeds.
            view: The table.
            interval: Its 95 % interval.
        """
        if self.quality:
            return formats.score(value, spread)
        short = self.terminal_format if view == "terminal" else None
        write = short or self.format
        if interval is None or view not in self.interval_views:
            return write(value)
        return f"{write(value)} ({' to '.join(map(write, interval))})"
