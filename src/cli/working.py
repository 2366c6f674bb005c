"""`tunebench work` joins a running comparison; `tunebench status` shows who does what."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..text import one_line, plural, quoted
from .flags import KeyPath, Line
from .places import folder_of_results, folder_to_write, results_folder
from .text_table import format_table

if TYPE_CHECKING:
    from ..study.status import Status

WORK: Mapping[str, str] = {
    "out": "Folder of results that the comparison is run in (runs).",
    "workers": "Trainings that run side by side (as many as there are cores or GPUs).",
    "wait": "Seconds to wait for a comparison to begin (0).",
    "data": "Where this machine has the data (as the comparison names them).",
    "tracking-uri": "MLflow's server, in case that this process comes to lead.",
    "optuna-storage": "Optuna's server, for the same case.",
}
STATUS: Mapping[str, str] = {"out": "Folder of results (runs)."}
STATUS_SWITCHES: Mapping[str, str] = {"json": "Print one JSON object."}
HEADER = ("host", "process", "since", "renewed", "job")


def work_flags() -> dict[str, KeyPath]:
    """Flags by name, and the settings that they stand for."""
    return {name: (name.replace("-", "_"),) for name in WORK}


def status_flags() -> dict[str, KeyPath]:
    """The same for `status`."""
    return {name: (name,) for name in STATUS}


def work(line: Line, command: str) -> int:
    """Take jobs until the comparison ends; 1 where it came to lead and a cell is not complete."""
    wait = line.text("wait") or "0"
    if not wait.isascii() or not wait.isdecimal():
        raise UserError(f"--wait: must be a whole number of seconds, but got {quoted(wait)}")
    out = results_folder(line.text("out"))
    if wait == "0":
        folder_of_results(line.text("out"))
    folder_to_write(str(out), "--out")
    workers = line.count("workers") or 0
    from ..report.live import Live
    from ..study.work import work as run

    with Live() as progress:
        comparison = run(
            out,
            workers=workers,
            wait=float(wait),
            data=line.text("data"),
            tracking_uri=line.text("tracking_uri"),
            optuna_storage=line.text("optuna_storage"),
            progress=progress,
        )
    if comparison is None:
        return 0
    from ..analysis import analyse, read_from
    from ..report.terminal import show

    show(analyse(comparison, read_from(out)), out)
    return 0 if all(result.status == "complete" for result in comparison.results) else 1


def status(line: Line, command: str) -> int:
    """Print who does what in a folder, and how much is left."""
    from ..study.status import status as look

    out = folder_of_results(line.text("out"))
    there = look(out)
    if "json" in line.switches:
        print(json.dumps(dataclasses.asdict(there), ensure_ascii=False))
    else:
        print(described(there, out))
    return 0


def described(there: Status, out: Path) -> str:
    """A status as a reader has it."""
    if there.running:
        state = f"led by {there.leader}" if there.leader else "being prepared"
    else:
        state = f"{there.leader}, which led, is gone" if there.leader else "nothing is running"
    open_cells = there.cells - there.done
    parts = [
        f"{there.comparison} in '{out}': {state}",
        f"{there.done} of {plural(there.cells, 'cell')} and {there.trials_done} of "
        f"{plural(there.trials, 'trial')} have a record; {plural(open_cells, 'cell')} to go",
    ]
    if there.jobs:
        rows = [
            (one.host, str(one.process), _ago(one.since), _ago(one.renewed), one_line(one.what))
            for one in there.jobs
        ]
        parts.append(format_table([HEADER, *rows]))
    for one in there.helpers:
        parts.append(
            f"  helps: process {one.process} on {one.host} with {plural(one.workers, 'worker')}, "
            f"for {_time(one.since)}, renewed {_ago(one.renewed)}"
        )
    if there.offers or there.waiting:
        parts.append(
            f"{plural(there.offers, 'job')} on offer, {plural(there.waiting, 'record')} to store"
        )
    if not there.running and open_cells and there.command:
        parts.append(f"to go on: {there.command}")
    return "\n".join(parts)


def _ago(seconds: float) -> str:
    return f"{_time(seconds)} ago"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
