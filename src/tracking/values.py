"""Records as MLflow's metrics and parameters, under one set of names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..records import Curve, Result, Status, SystemSamples, Trial

RUN_STATUS: Mapping[Status, str] = {
    "complete": "FINISHED",
    # A run that diverged did what it was asked; its tag `status` says that the outcome is none.
    "diverged": "FINISHED",
    "error": "FAILED",
    "missing": "KILLED",
}

VALIDATION = "validation_score"
"""Named apart from any score on test data."""

WORST_FIRST: tuple[Status, ...] = ("missing", "error", "diverged", "complete")


def run_status(status: Status) -> str:
    """MLflow's word for how a record ended."""
    return RUN_STATUS[status]


def overall(results: Sequence[Result]) -> Status:
    """A study's status: the worst of its cells'; one that is missing outweighs all others."""
    return min((row.status for row in results), key=WORST_FIRST.index)


def trial_metrics(trial: Trial) -> dict[str, float]:
    """A trial's score on the validation split, where it is not a curve: after its only epoch."""
    if trial.score is None or VALIDATION in curve_points(trial.curve):
        return {}
    return finite({VALIDATION: trial.score})


def averages(cells: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over seeds of each metric that any of the cells has."""
    names = dict.fromkeys(name for cell in cells for name in cell)
    values = {name: [cell[name] for cell in cells if name in cell] for name in names}
    return finite({name: math.fsum(each) / len(each) for name, each in values.items()})


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that are numbers: MLflow would turn an infinity into a huge one."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def curve_points(curve: Curve) -> dict[str, tuple[tuple[int, float], ...]]:
    """Training loss and, of a trial with several epochs, validation score by optimizer step."""
    lines = {
        "train_loss": zip(curve.steps, curve.loss, strict=True),
        VALIDATION: zip(curve.epochs, curve.validation, strict=False),
    }
    kept = {
        name: tuple((step, value) for step, value in points if math.isfinite(value))
        for name, points in lines.items()
    }
    return {name: points for name, points in kept.items() if points}


def system_points(samples: SystemSamples) -> dict[str, tuple[tuple[int, float], ...]]:
    """Samples of a process by the names that MLflow's page of system metrics reads.

    What was 0 all the time, such as a GPU's memory where there is none, is left out.
    """
    lines = {
        "system/process_cpu_percentage": samples.cpu_percent,
        "system/process_memory_mebibytes": samples.memory_mib,
        "system/gpu_memory_allocated_mebibytes": samples.gpu_memory_mib,
    }
    return {
        name: tuple((round(1000 * at), v) for at, v in zip(samples.seconds, values, strict=True))
        for name, values in lines.items()
        if any(values)
    }


def flat(tree: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings as dotted names, in the way they are typed: `search.trials` → "2"."""
    return dict(leaves(tree, ""))


def leaves(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Each leaf with its dotted name; an absent value is left out."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{name}", text
