"""The commands: what each takes, and the room that does its work, imported when it starts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Experiment
from ..errors import UserError
from ..text import quoted
from . import (
    advising,
    claims,
    completion,
    costs,
    disagreements,
    drift,
    exchanging,
    generating,
    latency,
    ledger,
    listings,
    predicting,
    registering,
    retaining,
    working,
)
from .fields import experiment_flags
from .flags import KeyPath, Line
from .places import folder_of_results, folder_to_write, made_folder, results_folder

if TYPE_CHECKING:
    from rich.console import Console

    from ..analysis import Analysis

PLACES: dict[str, KeyPath] = {"out": ("out",), "tracking-uri": ("tracking_uri",)}
"""Flags of the commands that look at what is there."""
SERVER: dict[str, KeyPath] = {"host": ("host",), "port": ("port",)}
ANALYSIS: Mapping[str, str] = {
    "json": "Print what analysis.json has; the progress goes to standard error."
}
LIST: Mapping[str, str] = {"json": "Print one JSON list."}
Run = Callable[[Line, str], int]
"""Takes the line and the command as typed; gives the exit code."""


@dataclass(frozen=True)
class Command:
    """One command of the program."""

    run: Run
    about: str
    words: str = ""
    """What follows the name, for the help; empty where no word is taken."""
    flags: Callable[[], Mapping[str, KeyPath]] = lambda: PLACES
    """Flag names and the settings they stand for."""
    switches: Mapping[str, str] = field(default_factory=dict)
    """Flags without a value, and what they do."""
    flag_help: Mapping[str, str] = field(default_factory=dict)
    """Its own words for its flags, where no setting has any."""


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


def ui(line: Line, command: str) -> int:
    """Open MLflow's pages on the results."""
    text = line.text("port") or "0"
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) >= 65536:
        raise UserError(f"--port: must be a whole number from 0 to 65535, but got {quoted(text)}")
    from ..tracking import TrackingError, chosen, serve

    host = line.text("host") or "127.0.0.1"
    out = results_folder(line.text("out"))
    uri = chosen(line.text("tracking_uri")) or _recorded_database(out)
    try:
        serve(uri, out, host=host, port=int(text))
    except TrackingError as error:
        print(f"tunebench: {error}", file=sys.stderr)
        return 1
    return 0


def doctor(line: Line, command: str) -> int:
    """Compare store, Optuna and MLflow; 0 where they agree, 1 where they do not."""
    out = folder_of_results(line.text("out"))
    from ..study.doctor import examine

    findings = examine(out, line.text("tracking_uri"), line.text("optuna_storage"))
    if "json" in line.switches:
        print(json.dumps(findings))
    else:
        print("\n".join(findings) or f"{out}: store, Optuna and MLflow agree")
    return 1 if findings else 0


def methods(line: Line, command: str) -> int:
    """Print the methods, or the named ones in detail."""
    if "json" in line.switches:
        print(json.dumps(listings.methods_as_json(line.words)))
    else:
        print("\n\n\n".join(map(listings.method, line.words)) or listings.methods())
    return 0


def tasks(line: Line, command: str) -> int:
    """Print the built-in tasks."""
    print(json.dumps(listings.tasks_as_json()) if "json" in line.switches else listings.tasks())
    return 0


def backbones(line: Line, command: str) -> int:
    """Print the backbones known by name."""
    if "json" in line.switches:
        print(json.dumps(listings.backbones_as_json()))
    else:
        print(listings.backbones())
    return 0


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


def _recorded_database(out: Path) -> str | None:
    """The database that the last run wrote to, where it was another file than the folder's own.

    A server is not taken from a record: who sent the folder chose that address, not the user.
    """
    from ..store.store import Store

    plan = Store(out).plan() if out.is_dir() else None
    recorded = plan.experiment.get("tracking_uri") if plan is not None else None
    return recorded if isinstance(recorded, str) and recorded.startswith("sqlite:") else None


COMMANDS: Mapping[str, Command] = {
    "compare": Command(
        compare,
        "compare the methods on tasks, a suite, or a file of your own",
        "[TASK | SUITE | FILE]...",
        lambda: experiment_flags() | dict(registering.FLAGS),
        {
            "estimate": "Time a few batches of each method and print what the whole would take.",
            "dry-run": "Print the resolved plan and train nothing.",
            "fail-fast": "Stop at the first cell that does not complete.",
            **ANALYSIS,
        },
        registering.HELP,
    ),
    "tune": Command(
        tune, "search one method's settings on one task", "TASK", experiment_flags, ANALYSIS
    ),
    "predict": Command(
        predicting.predict,
        "answer texts with a trained adapter: labels and probabilities",
        "RUN | FILE [TEXT]...",
        predicting.flags,
        predicting.SWITCHES,
        flag_help=predicting.FLAGS,
    ),
    "generate": Command(
        generating.generate,
        "continue prompts with a decoder, as it is or with a trained adapter",
        "PROMPT...",
        generating.flags,
        generating.SWITCHES,
    ),
    "export": Command(
        exchanging.export,
        "write a trained adapter as a folder of PEFT's or of adapters",
        "RUN | FILE",
        partial(exchanging.flags, exchanging.EXPORT),
        flag_help=exchanging.EXPORT,
    ),
    "import": Command(
        exchanging.bring,
        "read a folder of PEFT or of adapters as an adapter of ours",
        "FOLDER",
        partial(exchanging.flags, exchanging.IMPORT),
        flag_help=exchanging.IMPORT,
    ),
    "report": Command(
        report,
        "write the report again from the results that are there",
        flags=lambda: PLACES | dict(registering.FLAGS),
        switches=ANALYSIS,
        flag_help=registering.HELP,
    ),
    "ui": Command(ui, "open MLflow's pages on the results", flags=lambda: PLACES | SERVER),
    "methods": Command(
        methods, "list the methods, or tell one in detail", "[METHOD]...", dict, LIST
    ),
    "tasks": Command(tasks, "list the built-in tasks", flags=dict, switches=LIST),
    "backbones": Command(backbones, "list the backbones known by name", flags=dict, switches=LIST),
    "advise": Command(
        advising.advise,
        "advise a method under limits on weights, latency and memory, and say how sure that is",
        "[TASK]",
        advising.flags,
        advising.SWITCHES,
        flag_help=advising.FLAGS,
    ),
    "latency": Command(
        latency.latency,
        "time methods beside the base model, folded and unfolded, on a backbone by itself",
        "[TASK]",
        latency.flags,
        latency.SWITCHES,
        flag_help=latency.FLAGS,
    ),
    "costs": Command(
        costs.costs,
        "count memory, operations and bytes of methods, on a backbone by itself",
        "[TASK]",
        costs.flags,
        costs.SWITCHES,
        flag_help=costs.FLAGS,
    ),
    "disagreements": Command(
        disagreements.disagree,
        "show test examples, with their texts, on which methods disagree",
        "[TASK]",
        disagreements.flags,
        disagreements.SWITCHES,
        flag_help=disagreements.FLAGS,
    ),
    "drift": Command(
        drift.drift,
        "train cells of the last comparison again, and show what another environment changes",
        "[TASK]...",
        drift.flags,
        drift.SWITCHES,
        flag_help=drift.FLAGS,
    ),
    "retention": Command(
        retaining.retention,
        "measure how much tuned models forget: the change of the language model's own loss",
        "[RUN | FILE]...",
        retaining.flags,
        retaining.SWITCHES,
        flag_help=retaining.FLAGS,
    ),
    "ledger": Command(
        ledger.ledger,
        "list published GLUE figures with the protocol that each was made by",
        "[TASK]...",
        ledger.flags,
        ledger.SWITCHES,
        flag_help=ledger.FLAGS,
    ),
    "claims": Command(
        claims.claims,
        "check what the literature claims on the runs of a folder",
        "[CLAIM]...",
        claims.flags,
        claims.SWITCHES,
    ),
    "completion": Command(completion.completion, completion.ABOUT, "SHELL", dict),
    "work": Command(
        working.work,
        "join a running comparison from another terminal or machine with the same folder",
        flags=working.work_flags,
        flag_help=working.WORK,
    ),
    "status": Command(
        working.status,
        "show who works in a folder, on what, and how much is left",
        flags=working.status_flags,
        switches=working.STATUS_SWITCHES,
        flag_help=working.STATUS,
    ),
    "doctor": Command(
        doctor,
        "check that store, Optuna and MLflow agree",
        flags=lambda: PLACES | {"optuna-storage": ("optuna_storage",)},
        switches=LIST,
    ),
}
