"""`tunebench latency`: what serving with each method takes beside the base model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from ..costs.grid import Grid, Length
from ..errors import UserError
from ..files import write_whole
from ..text import quoted
from .fields import KeyPath, experiment_flags
from .flags import Flag, Line
from .latency_table import as_json, as_text
from .places import made_folder

if TYPE_CHECKING:
    from ..config import Experiment

TASK = "sentiment"
"""Its texts are read where no task is named: the built-in reviews."""
SHARED = (
    *("backbone", "backbone.layers", "backbone.attention", "methods"),
    *("data", "data.max_length", "train.threads", "train.accelerator", "out"),
)
"""Flags that mean what they mean in a comparison."""
FLAGS: Mapping[str, str] = {
    "methods": "Only these methods, in this order; all means every one there is.",
    "out": "Folder of results (runs): held meanwhile, and latency.json is written there.",
    "batch": "Texts in a pass, commas between (1,8,32).",
    "length": (
        "Tokens of a text, commas between (32,128,384,context,texts); context: as many as there is "
        "room for; texts: real texts of a task, of their own lengths, packed as they are served."
    ),
    "half-width": "A point ends where the ratio's 95 % interval is at most ± so much (2%).",
    "seconds": "The time for a point at most (60).",
}
WORDS: tuple[Literal["context", "texts"], ...] = ("context", "texts")
"""Lengths that are no numbers."""
SWITCHES: Mapping[str, str] = {
    "compile": "Both sides through torch.compile; what has a cache is left out.",
    "json": "Print what latency.json has; the progress goes to standard error.",
}


def flags() -> dict[str, KeyPath]:
    """Flags by name, and the settings they stand for."""
    return lab_flags() | {name: (name.replace("-", "_"),) for name in FLAGS}


def lab_flags() -> dict[str, KeyPath]:
    """The flags that mean what they mean in a comparison."""
    known = experiment_flags()
    return {name: known[name] for name in SHARED}


def latency(line: Line, command: str) -> int:
    """Time the methods and print the table; 1 where no point could be timed."""
    grid = _grid(line)
    experiment = experiment_of(line, "latency")
    out = made_folder(experiment.out, "--out")
    from ..report.console import diagnostics
    from ..report.live import Live
    from ..study.laboratory import laboratory

    with Live(diagnostics()) as progress, laboratory(experiment, progress) as lab:
        points = list(lab.latency(grid, progress))
        content = {**lab.origin, "grid": asdict(grid), "points": list(map(as_json, points))}
    file = out / "latency.json"
    text = json.dumps(content, allow_nan=False, indent=1)
    write_whole(file, text.encode())
    print(text if "json" in line.switches else as_text(points, content, file))
    return 0 if any(point.timing for point in points) else 1


def experiment_of(line: Line, command: str) -> Experiment:
    """The settings that the line shares with a comparison, and one task whose texts are read.

    Raises:
        UserError: One is wrong, or several tasks are named.
    """
    from .settings import resolve, tasks_of

    # Nothing is searched here: each method has its first trial's settings.
    single = Flag(("search", "trials"), "1", "--search.trials")
    experiment = resolve(Line(line.words or (TASK,), (*line.flags, single), line.switches))
    if len(tasks_of(experiment)) != 1:
        raise UserError(f"{command} takes one task, whose texts are read, and no more")
    return experiment


def _grid(line: Line) -> Grid:
    """What is to be timed.

    Raises:
        UserError: A value is none that its flag can have.
    """
    batch, length = line.text("batch"), line.text("length")
    half_width, seconds = line.text("half_width"), line.text("seconds")
    typed: dict[str, Any] = {"compile": "compile" in line.switches}
    if batch is not None:
        typed["batches"] = tuple(_count(part, "--batch") for part in _parts(batch, "--batch"))
    if length is not None:
        typed["lengths"] = tuple(_length(part) for part in _parts(length, "--length"))
    if half_width is not None:
        typed["half_width"] = _number(half_width, "--half-width", "%") / 100
    if seconds is not None:
        typed["seconds"] = _number(seconds, "--seconds")
    return Grid(**typed)


def _parts(text: str, flag: str) -> list[str]:
    """What stands between the commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UserError(f"{flag}: must name one at least")
    return parts


def _count(text: str, flag: str) -> int:
    """A number of texts or tokens."""
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise UserError(f"{flag}: must be whole numbers >= 1, but got {quoted(text)}")
    return int(text)


def _length(text: str) -> Length:
    """A length of texts."""
    for word in WORDS:
        if text == word:
            return word
    if not text.isdigit():
        raise UserError(
            f"--length: must be numbers of tokens, context or texts, but got {quoted(text)}"
        )
    return _count(text, "--length")


def _number(text: str, flag: str, unit: str = "") -> float:
    """A number above 0, with or without its unit."""
    number = text.removesuffix(unit)
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number) or float(number) == 0:
        raise UserError(f"{flag}: must be a number above 0, but got {quoted(text)}")
    return float(number)
