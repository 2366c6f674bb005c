"""results.csv: one row a cell, numbers as they are, for spreadsheets and scripts (RFC 4180)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from ..analysis.rows import cells, first_latency
from ..analysis.words import Number, present, redact
from ..records import Comparison, Latency, Result

COLUMNS = (
    "task",
    "method",
    "seed",
    "status",
    "metric",
    "score",
    "accuracy",
    "trainable_params",
    "trainable_params_with_head",
    "stored_params",
    "latency_ms",
    "train_seconds",
    "peak_memory_mib",
    "data_source",
    "backbone",
    "mlflow_run_id",
    "reason",
    "metrics",
    "validation_score",
    "hyperparameters",
    "best_trial",
    "latency_p95_ms",
    "latency_ratio",
    "latency_tokens",
    "latency_batch32_ms",
    "train_examples",
    "validation_examples",
    "test_examples",
    "truncated",
    "data_digest",
    "backbone_digest",
    "device",
    "finished",
    "adapter",
    "predictions",
    "cell",
    "template",
)
"""The header; columns are only ever added at the end."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def text(comparison: Comparison, run_ids: Mapping[str, str]) -> str:
    """The whole file, header first, one row for each planned cell, lines ended by CR LF."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for result in cells(comparison):
        values = _values(comparison, result, run_ids.get(result.cell, ""))
        writer.writerow([_cell(values[column]) for column in COLUMNS])
    return file.getvalue()


def _values(comparison: Comparison, result: Result, run_id: str) -> dict[str, Any]:
    """Column name to value; what a missing cell cannot know comes from the plan."""
    first = first_latency(result)
    large = next((m for m in result.latency if m.batch == 32), None)
    own = {column: getattr(result, column, None) for column in COLUMNS}
    return own | {
        "data_source": result.data_source or comparison.sources.get(result.task, ""),
        "backbone": result.backbone or _backbone(comparison),
        "mlflow_run_id": run_id,
        "reason": redact(result.reason),
        "metrics": _json(result.metrics),
        "hyperparameters": _json(result.hyperparameters),
        "latency_batch32_ms": large.median_ms if large is not None else None,
        **_latency(first),
    }


def _latency(first: Latency | None) -> dict[str, float | None]:
    """The columns that tell more of the batch-1 measurement."""
    return {
        "latency_p95_ms": first.p95_ms if first is not None else None,
        "latency_ratio": first.ratio if first is not None else None,
        "latency_tokens": first.tokens if first is not None else None,
    }


def _backbone(comparison: Comparison) -> str:
    """The backbone's name as it was asked for."""
    settings = comparison.experiment.get("backbone")
    return str(settings.get("name", "")) if isinstance(settings, Mapping) else ""


def _json(values: Mapping[str, Any]) -> str:
    """A mapping in one cell; empty where there is nothing."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False, default=str) if values else ""


def _cell(value: str | Number | None) -> str:
    """A number as it is, a text so that no spreadsheet takes it for a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value) if present(value) else ""
    # A leading apostrophe is how spreadsheets mark a cell as text.
    return f"'{value}" if value.startswith(_FORMULA) else value
