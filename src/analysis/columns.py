"""The one table of columns: terminal, page, Markdown, CSV and MLflow's metrics all follow it.

A column is one entry. It says how it is read from a cell; tables show its mean over the seeds. To
add one, append it here, or from outside the package

    from tunebench.analysis import Column, register

    register(Column("loss", lambda cell: cell.result.curve.loss[-1], description="Last loss."))

before the comparison is run or reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from ..records import Latency
from ..text import redact
from . import format as formats
from .cells import Cell, p95
from .column import CSV, METRICS, TABLES, Column, Value, View
from .cost_columns import COST_COLUMNS
from .timing import ratio_interval

INTERVAL = ("score_ci95_low", "score_ci95_high")
"""The ends of the 95 % interval of a method's mean score: the same for all of its cells."""


def _field(name: str) -> Callable[[Cell], Value]:
    """Reads the field of that name from a cell's record."""
    return attrgetter(f"result.{name}")


def _text(name: str) -> Column:
    """A field of the record that only results.csv shows."""
    return Column(name, _field(name), CSV)


def _json(values: Mapping[str, Any]) -> str:
    """A mapping in one text; empty where there is nothing."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, default=str) if values else ""


def _of_single(name: str) -> Callable[[Cell], Value]:
    """Reads a field of the batch-1 latency."""
    return lambda cell: getattr(cell.single, name, None)


def _median_of_batch(size: int) -> Callable[[Cell], Value]:
    """Reads the median latency of a batch of that size, as it was measured."""
    return lambda cell: next((m.median_ms for m in cell.result.latency if m.batch == size), None)


def _end_of_interval(place: int) -> Callable[[Cell], Value]:
    """Reads the lower (0) or the upper (1) end of the interval of its method's score."""
    return lambda cell: None if cell.interval is None else cell.interval[place]


COLUMNS: tuple[Column, ...] = (
    Column("task", attrgetter("task"), CSV),
    _text("method"),
    _text("seed"),
    _text("status"),
    _text("metric"),
    Column(
        "score",
        _field("score"),
        description=(
            "The task's own metric on the test split; ± is the standard deviation over seeds, and "
            "over folds in a cross-validation."
        ),
        quality=True,
        table_place=0,
        mlflow_width=95,
    ),
    Column("accuracy", _field("accuracy"), quality=True, table_place=0),
    Column(
        "trainable_params",
        _field("trainable_params"),
        heading="trained",
        description="Weights that the method trains; “with head” adds the linear head's.",
        format=formats.thousands,
        terminal_format=formats.short,
        table_place=1,
        mlflow_width=145,
    ),
    Column(
        "trainable_params_with_head",
        _field("trainable_params_with_head"),
        heading="with head",
        format=formats.thousands,
        terminal_format=formats.short,
        table_place=1,
    ),
    Column(
        "stored_params",
        _field("stored_params"),
        (TABLES - {"terminal"}) | CSV | METRICS,
        heading="stored",
        description=(
            "Weights on disk beside the backbone when the method is served, head not counted."
        ),
        format=formats.thousands,
        table_place=1,
    ),
    Column(
        "latency_ms",
        attrgetter("latency_ms"),
        heading="latency ms",
        description=(
            "One text at the task's median length, in the form it is served in: “× base” times "
            "one latency of the base model, so that methods that were timed minutes apart compare."
        ),
        noisy=attrgetter("noisy"),
        table_place=2,
    ),
    Column(
        "train_seconds",
        _field("train_seconds"),
        heading="train s",
        description="Wall time of the winner's training, validation excluded.",
        table_place=3,
        mlflow_width=120,
    ),
    Column(
        "peak_memory_mib",
        _field("peak_memory_mib"),
        heading="peak MiB",
        description=("Highest memory of the process while it trained; on a GPU, of its allocator."),
        format=formats.thousands,
        table_place=3,
    ),
    _text("data_source"),
    _text("backbone"),
    Column("mlflow_run_id", attrgetter("run_id"), CSV),
    Column("reason", lambda cell: redact(cell.result.reason), CSV),
    Column("metrics", lambda cell: _json(cell.result.metrics), CSV),
    Column("validation_score", _field("validation_score"), CSV | METRICS, mlflow_width=130),
    Column("hyperparameters", lambda cell: _json(cell.result.hyperparameters), CSV),
    _text("best_trial"),
    Column("latency_p95_ms", attrgetter("p95_ms"), CSV | {"cell_metric"}),
    Column(
        "latency_ratio",
        _of_single("ratio"),
        heading="× base",
        description=(
            "Latency over the base model's, measured in turn in the same process, with the 95 % "
            f"interval of that measurement; “{formats.NOISY}” where the machine was too unsteady."
        ),
        format=formats.ratio,
        interval=lambda cells: ratio_interval(cells, attrgetter("single")),
        interval_views=TABLES - {"terminal"},
        noisy=attrgetter("noisy"),
        table_place=2,
        mlflow_width=115,
    ),
    Column("latency_tokens", _of_single("tokens"), CSV),
    Column("latency_batch32_ms", _median_of_batch(32), CSV),
    _text("train_examples"),
    _text("validation_examples"),
    _text("test_examples"),
    _text("truncated"),
    _text("data_digest"),
    _text("backbone_digest"),
    _text("device"),
    _text("finished"),
    _text("adapter"),
    _text("predictions"),
    _text("cell"),
    _text("template"),
    Column("latency_measured_ms", _field("latency_ms"), CSV),
    Column("trials_failed", attrgetter("trials_failed"), CSV),
    _text("micro_batch"),
    Column("origin", lambda cell: _json(cell.result.origin), CSV),
    Column("fold", lambda cell: None if cell.fold is None else cell.fold.number, CSV),
    Column(
        "ece",
        attrgetter("calibration_error"),
        (TABLES - {"terminal"}) | CSV | METRICS,
        heading="ECE",
        description=(
            "Expected calibration error: how far confidence and accuracy are apart, in 15 bins of "
            "equal width; 0 where what says 0.8 is right in eight cases of ten."
        ),
        quality=True,
        table_place=0,
    ),
    Column("group", attrgetter("group"), TABLES | CSV, quality=True, text=True, table_place=-1),
    Column("on_front", attrgetter("on_front"), CSV),
    *(Column(name, _end_of_interval(place), CSV) for place, name in enumerate(INTERVAL)),
    Column("latency_ratio_ci95_low", _of_single("ratio_low"), CSV | {"cell_metric"}),
    Column("latency_ratio_ci95_high", _of_single("ratio_high"), CSV | {"cell_metric"}),
    *COST_COLUMNS,
    Column("latency_noise", lambda cell: formats.NOISY if cell.noisy else None, CSV),
)
"""Every column. results.csv has them in this order."""


def register(column: Column) -> None:
    """Append a column to the table.

    Raises:
        ValueError: The table has a column of that name.
    """
    global COLUMNS  # one table, open to callers, is what this module is for
    if column.name in {each.name for each in COLUMNS}:
        raise ValueError(f"there is a column '{column.name}' already")
    COLUMNS = (*COLUMNS, column)


def columns_for(cells: Iterable[Cell]) -> tuple[Column, ...]:
    """The table, and what only these cells have: a column for each test metric and batch size."""
    cells = list(cells)
    names = {column.name for column in COLUMNS}
    metrics = dict.fromkeys(name for cell in cells for name in cell.result.metrics)
    batches = (each.batch for cell in cells for each in cell.result.latency)
    sizes = dict.fromkeys(size for size in batches if size != 1)  # one text has columns already
    return (
        *COLUMNS,
        *(_metric(name) for name in metrics if name not in names),
        *(column for size in sizes for column in _latency_of_batch(size)),
    )


def _metric(name: str) -> Column:
    """A further test metric: on the page and in MLflow."""
    return Column(
        name,
        lambda cell: cell.result.metrics.get(name),
        METRICS | {"page"},
        quality=True,
        table_place=0,
    )


def _latency_of_batch(size: int) -> tuple[Column, ...]:
    """MLflow's metrics of one batch size. A mean of milliseconds over seeds would mix moments."""

    def timed(cell: Cell) -> Latency | None:
        return next((each for each in cell.result.latency if each.batch == size), None)

    def of_batch(name: str) -> Callable[[Cell], Value]:
        return lambda cell: getattr(timed(cell), name, None)

    ratio, of_cells = f"latency_ratio_batch_{size}", frozenset[View]({"cell_metric"})
    return (
        Column(f"latency_ms_batch_{size}", of_batch("median_ms"), of_cells),
        Column(f"latency_p95_ms_batch_{size}", lambda cell: p95(timed(cell)), of_cells),
        Column(ratio, of_batch("ratio"), METRICS, interval=lambda c: ratio_interval(c, timed)),
        Column(f"{ratio}_ci95_low", of_batch("ratio_low"), of_cells),
        Column(f"{ratio}_ci95_high", of_batch("ratio_high"), of_cells),
    )


def in_view(columns: Iterable[Column], view: View) -> list[Column]:
    """The columns that a view shows; for the tables from left to right."""
    kept = [column for column in columns if view in column.views]
    return sorted(kept, key=lambda column: column.table_place) if view in TABLES else kept


def metrics_in_view(columns: Sequence[Column], cell: Cell, view: View) -> dict[str, float]:
    """A cell's finite numbers by column name, for MLflow, which knows neither texts nor gaps.

    What the task is scored by is there as the score, and not a second time by its own name; but
    accuracy is, which every classification has, whatever its score.
    """
    double = {cell.result.metric} - {"accuracy"}
    shown = (column for column in in_view(columns, view) if column.name not in double)
    values = {column.name: column.read(cell) for column in shown}
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and formats.present(value)
    }
