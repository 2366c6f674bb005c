"""Compares the runs that should be with the runs that are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.columns import INTERVAL
from .planned_run import PlannedRun

if TYPE_CHECKING:
    from mlflow.entities import Run

KEY, OWNER = "tunebench.key", "tunebench.comparison"
DIGEST, CURVES = "tunebench.digest", "tunebench.curves"
"""Tags by which our runs are known: the record, its comparison, and what was written last."""
SPREAD = "score_sd"
"""The metric of a study that is the standard deviation of its score over the seeds."""
GROUP = "group"
"""The tag of a study's run that has its method's tie groups."""

WINNER = "winner"
"""The tag of the run, and of its study, that was taken as a task's best: its value is the task."""

LONGEST_PARAM, LONGEST_TAG = 6000, 5000


def differences(planned: PlannedRun, run: Run) -> list[str]:
    """What a run holds otherwise than planned, or lacks; what is beside the plan is not seen."""
    data, lines = run.data, []
    if run.info.status != planned.status:
        lines.append(f"its status is {run.info.status} instead of {planned.status}")
    latest = planned.latest
    for name, value in {**planned.metrics, **latest}.items():
        held = data.metrics.get(name)
        if not _is_close(held, value):
            lines.append(f"its {name} is {held} instead of {value}")
    lines += [f"it has a metric {name} that no record has" for name in surplus(planned, run)]
    for name, text in planned.params.items():
        if data.params.get(name) != text[:LONGEST_PARAM]:
            lines.append(f"its parameter {name} is {data.params.get(name)!r} instead of {text!r}")
    for name, text in planned.tags.items():
        if data.tags.get(name) != text[:LONGEST_TAG]:
            lines.append(f"its tag {name} is {data.tags.get(name)!r} instead of {text!r}")
    return lines


def surplus(planned: PlannedRun, run: Run) -> list[str]:
    """Metrics of a run that are not planned: MLflow cannot take back a metric.

    Where a record is gone for now, so is the spread over the seeds, which is written over when the
    record is made again; and an interval is written beside the plan (`marks.py`).
    """
    planned_metrics = {*planned.metrics, *planned.latest, SPREAD, *INTERVAL}
    return sorted(set(run.data.metrics) - planned_metrics)


def mendable(planned: PlannedRun, run: Run) -> bool:
    """Whether what is wrong can be written over: parameters and points of curves cannot.

    MLflow drops a point that it has been given before, so the last one of a curve that was written
    whole and is another now stays another.
    """
    held = run.data.params
    params = all(
        held.get(name, text[:LONGEST_PARAM]) == text[:LONGEST_PARAM]
        for name, text in planned.params.items()
    )
    curves = run.data.tags.get(CURVES, "") == planned.curve_digest
    last = DIGEST not in run.data.tags or all(
        _is_close(run.data.metrics.get(name), value) for name, value in planned.latest.items()
    )
    return params and curves and last and not surplus(planned, run)


def _is_close(held: float | None, value: float) -> bool:
    return held is not None and math.isclose(held, value, rel_tol=1e-9, abs_tol=1e-12)


def match(plan: Sequence[PlannedRun], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """One line for each disagreement: a run that is missing, doubled, unknown, wrong or open."""
    names = {planned.key: planned.name for planned in plan}
    for planned in plan:
        same = runs.get(planned.key, ())
        if not same:
            yield f"MLflow has no run of the {planned.kind} '{planned.name}'"
        elif len(same) > 1:
            yield f"MLflow has {len(same)} runs of the {planned.kind} '{planned.name}'"
        for run in same[:1]:
            lines = open_or_different(planned, run)
            yield from (f"MLflow run '{planned.name}': {each}" for each in lines)
    for key in runs:
        if key not in names:
            yield f"MLflow has a run that no record knows: {key}"


def open_or_different(planned: PlannedRun, run: Run) -> list[str]:
    """The differences of one run; a parent that ended in another way than assumed is none."""
    lines = differences(planned, run)
    if run.info.status == "RUNNING":
        return ["it is RUNNING though nothing runs"]
    if planned.kind == "comparison":
        # How the last command ended is not among the records.
        return [each for each in lines if not each.startswith(("its status", "its tag status"))]
    return lines
