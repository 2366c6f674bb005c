"""What `compare --estimate` prints: time and disk of a comparison, before anything is run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..analysis.format import duration, size
from ..text import plural
from .text_table import format_table

if TYPE_CHECKING:
    from ..study.estimate import Cost, Estimate

HEADER = ("task", "method", "trials", "cells", "a trial", "a cell", "latency", "stored by a cell")
NOT_COUNTED = (
    "Timed here and now on a few batches of each method at its default settings, one at a time.\n"
    "Not counted: loading, MLflow and the report, what settings that a search draws take more or\n"
    "less, and how much workers that run side by side slow each other down."
)


def text(estimate: Estimate) -> str:
    """The estimate for a reader."""
    most = "at most " if estimate.until else ""
    trials, cells = plural(estimate.trials, "trial"), plural(estimate.cells, "cell")
    workers, whole = plural(estimate.workers, "worker"), duration(estimate.seconds)
    shared, latency = duration(estimate.shared_seconds), duration(estimate.latency_seconds)
    stored, weights = size(estimate.bytes), size(estimate.adapter_bytes)
    rows = [
        ("to do", f"{trials}, {most}{cells}"),
        (
            "time",
            f"{most}about {whole} with {workers}: {shared} of training, validation and test, "
            f"{latency} of latency, measured alone",
        ),
        ("disk", f"{most}about {stored}, of it {weights} trained weights"),
    ]
    return "\n\n".join(
        [
            "Nothing is kept of what is trained here: this is an estimate.",
            format_table(rows),
            format_table([HEADER, *map(_line, estimate.costs)]),
            NOT_COUNTED,
        ]
    )


def as_json(estimate: Estimate) -> dict[str, Any]:
    """The estimate for a script; seconds and bytes."""
    return {
        **asdict(estimate),
        "trials": estimate.trials,
        "cells": estimate.cells,
        "seconds": estimate.seconds,
        "shared_seconds": estimate.shared_seconds,
        "latency_seconds": estimate.latency_seconds,
        "bytes": estimate.bytes,
    }


def _line(cost: Cost) -> tuple[str, ...]:
    times = (cost.trial_seconds, cost.cell_seconds, cost.latency_seconds)
    return (
        cost.task,
        cost.method,
        str(cost.trials),
        str(cost.cells),
        *(f"{seconds:.1f} s" for seconds in times),
        size(cost.adapter_bytes),
    )
