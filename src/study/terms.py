"""What the processes of one comparison must have in common, and what each may have for itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from ..config import WHERE, Experiment
from ..errors import UserError
from ..store.store import Plan
from ..text import redact
from ..training.origin import differences
from .completed import code_digest
from .execution import Execution
from .plan import methods_of


def terms(
    experiment: Experiment, execution: Execution, plan: Plan, *, cells: bool
) -> Mapping[str, Any]:
    """What whoever joins has to know, and to have in common with the leader, as plain data."""
    settings = dataclasses.asdict(experiment)
    return {
        "comparison": plan.id,
        "runner": "" if execution.member is None else execution.member.runner,
        "command": redact(plan.command),
        "out": experiment.out,
        "tracking_uri": plan.experiment["tracking_uri"],
        "optuna_storage": plan.experiment["optuna_storage"],
        "experiment": to_jsonable_python(
            {key: value for key, value in settings.items() if key not in WHERE}
        ),
        "cells": cells,
        **in_common(execution),
    }


def in_common(execution: Execution) -> Mapping[str, Any]:
    """The program, the data, the weights, and what makes records: digests and versions."""
    run = execution.run
    return {
        "program": code_digest(),
        "data": {one.task.name: one.digest for one in execution.data},
        "backbone": run.context.checkpoint.digest,
        "origins": {
            f"{task} {method}": dict(run.origin(task, method))
            for task in run.tasks
            for method in methods_of(run.context.experiment)
        },
    }


def check_in_common(run: Mapping[str, Any], execution: Execution) -> None:
    """Refuse to join where what this process makes would not be what the leader makes.

    Args:
        run: What the leader wrote; see `terms`.
        execution: What this process prepared.

    Raises:
        UserError: Program, data, weights, packages or the kind of device are others.
    """
    ours = in_common(execution)
    check_program(run)
    for task, digest in ours["data"].items():
        if run["data"].get(task) != digest:
            raise UserError(
                f"{task}: the data that are read here are not those of the comparison's leader; "
                "the same --data and the same files are needed"
            )
    if run["backbone"] != ours["backbone"]:
        raise UserError("the backbone's weights here are not those of the comparison's leader")
    for name, leads in run["origins"].items():
        changed = differences(ours["origins"].get(name, {}), leads)
        if changed:
            raise UserError(
                f"{name}: a record made here would not be one of the comparison's leader: "
                f"{', '.join(changed)}"
            )


def check_program(run: Mapping[str, Any]) -> None:
    """Refuse to join with another version of this program, before anything is loaded.

    Raises:
        UserError: It is another one.
    """
    ours = code_digest()
    if run["program"] != ours:
        raise UserError(
            f"this program is another version than the comparison's leader's (code {ours[:12]} "
            f"instead of {run['program'][:12]})"
        )
