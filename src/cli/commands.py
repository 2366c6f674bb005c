"""The commands: what each takes, and the room that does its work, imported when it starts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..errors import UserError
from ..text import quoted
from . import (
    advising,
    claims,
    comparing,
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
from .places import folder_of_results, results_folder

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
        comparing.compare,
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
        comparing.tune,
        "search one method's settings on one task",
        "TASK",
        experiment_flags,
        ANALYSIS,
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
        comparing.report,
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
