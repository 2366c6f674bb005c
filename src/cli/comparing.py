"""Commands that end with an analysis: `compare`, `tune` and `report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Experiment
from ..errors import UserError
from . import registering
from .flags import Line
from .places import folder_of_results, folder_to_write, made_folder

if TYPE_CHECKING:
    from rich.console import Console

    from ..analysis import Analysis


def compare(line: Line, command: str) -> int:
    """Compare the methods; 0 where every cell is complete, 1 where one is not."""
    experiment = _experiment(line)
    if "dry-run" in line.switches:
        from .plan import plan_of, text

        folder_to_write(experiment.out, "--out")
        plan = plan_of(experiment)
        print(json.dumps(plan.as_json()) if "json" in line.switches else text(plan))
        return 0
    if "estimate" in line.switches:
        return _estimate(line, experiment)
    out = made_folder(experiment.out, "--out")
    registering.check(line, experiment)
    from ..analysis import analyse, read_from
    from ..report.live import Live
    from ..report.terminal import show
    from ..study.compare import compare as run

    fail_fast = "fail-fast" in line.switches
    with Live(_console(line)) as progress:
        comparison = run(experiment, command=command, progress=progress, fail_fast=fail_fast)
    analysis = analyse(comparison, read_from(out))
    if "json" in line.switches:
        _print_json(analysis)
    else:
        show(analysis, out)
    code = registering.register(line, analysis, out, experiment.tracking_uri)
    return code if all(result.status == "complete" for result in comparison.results) else 1


def _estimate(line: Line, experiment: Experiment) -> int:
    """Print how long a comparison will take, and what it leaves on the disk."""
    folder_to_write(experiment.out, "--out")
    from ..report.console import diagnostics
    from ..report.live import Live
    from ..study.estimate import estimate
    from .estimating import as_json, text

    with Live(diagnostics()) as progress:
        estimated = estimate(experiment, progress)
    print(json.dumps(as_json(estimated)) if "json" in line.switches else text(estimated))
    return 0


def tune(line: Line, command: str) -> int:
    """Search one method's settings on one task; print the trials and the command to go on with."""
    from .settings import tasks_of

    experiment = _experiment(line)
    if len(tasks_of(experiment)) != 1 or len(experiment.methods) != 1:
        raise UserError(
            "tune takes one task and one method, such as: tunebench tune rte --methods lora"
        )
    made_folder(experiment.out, "--out")
    from ..analysis import analyse
    from ..report.live import Live
    from ..report.study import show_study
    from ..study.tune import tune as run
    from .following import compare_command

    with Live(_console(line)) as progress:
        tuning = run(
            experiment, trials=experiment.search.trials, progress=progress, command=command
        )
    best = tuning.best
    (method,) = experiment.methods
    following = "" if best is None else compare_command(line, method, best.params)
    analysis = analyse(tuning.comparison)
    if "json" in line.switches:
        _print_json(analysis)
    else:
        show_study(analysis, Path(experiment.out), following)
    return 0 if best is not None else 1


def report(line: Line, command: str) -> int:
    """Write the report again from the results that are there."""
    out = folder_of_results(line.text("out"))
    from ..report.live import Live
    from ..report.terminal import show
    from ..study.publish import rebuild

    with Live(_console(line)) as progress:
        analysis = rebuild(out, line.text("tracking_uri"), progress=progress)
    if "json" in line.switches:
        _print_json(analysis)
    else:
        show(analysis, out)
    return registering.register(line, analysis, out, line.text("tracking_uri"))


def _console(line: Line) -> Console | None:
    """Where progress is shown: not on standard output where a script reads JSON from it."""
    from ..report.console import diagnostics

    return diagnostics() if "json" in line.switches else None


def _print_json(analysis: Analysis) -> None:
    """Print what analysis.json has."""
    from ..report import json as file

    print(file.text(analysis), end="")


def _experiment(line: Line) -> Experiment:
    """What the line means; reading it needs pydantic, which the listings do not wait for."""
    from .settings import resolve

    return resolve(line)
