"""`tunebench ledger`: published GLUE figures, each with the protocol that it was made by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ..analysis.format import score
from ..analysis.ledger import Figure, Source, select
from ..errors import UnknownName
from .flags import KeyPath, Line
from .text_table import format_table

FLAGS: Mapping[str, str] = {"methods": "Only figures of these methods, commas between."}
SWITCHES: Mapping[str, str] = {"json": "Print one JSON list, an object for each figure."}
HEADER = ("method", "model", "trained", "score", "source", "protocol")
ENDING = (
    "trained: weights without the head, or their share of the model; ±: as the source prints it.\n"
    "protocol: only what the source states. Scores that were chosen on the rows that they are\n"
    "reported for, or that start from another task's weights, are higher than they would be.\n"
    "verified: read in the source; copied: read in a copy of it; recalled: not read again."
)


def flags() -> dict[str, KeyPath]:
    """Flags by name, each its own setting."""
    return {name: (name,) for name in FLAGS}


def ledger(line: Line, command: str) -> int:
    """Print the figures of the tasks and methods that were named."""
    for flag in line.flags:
        if len(flag.path) > 1:
            raise UnknownName("flag", flag.typed, ["--methods", "--json", "--help"])
    names = (line.text("methods") or "").split(",")
    methods = [name.strip() for name in names if name.strip()]
    selected = select(line.words, methods)
    if "json" in line.switches:
        print(json.dumps([figure.as_json() for figure in selected], ensure_ascii=False))
    else:
        print(table(selected))
    return 0


def table(figures: Sequence[Figure]) -> str:
    """Some figures by task and metric, and the sources that they come from."""
    numbers: dict[Source, int] = {}
    for figure in figures:
        numbers.setdefault(figure.source, len(numbers) + 1)
    groups: dict[tuple[str, str], list[Figure]] = {}
    for task in dict.fromkeys(figure.task for figure in figures):
        for figure in figures:
            if figure.task == task:
                groups.setdefault((task, figure.metric), []).append(figure)
    parts = [
        f"{task}, {metric}\n"
        + format_table([HEADER, *(_row(one, numbers[one.source]) for one in group)])
        for (task, metric), group in groups.items()
    ]
    sources = [
        (f"[{number}]", source.reference + (f". {source.note}" if source.note else ""))
        for source, number in numbers.items()
    ]
    return "\n\n".join([*parts, format_table(sources, 0), ENDING])


def _row(figure: Figure, source: int) -> tuple[str, ...]:
    """A figure's line under `HEADER`."""
    return (
        figure.method,
        figure.model,
        figure.trained,
        score(figure.score, figure.spread),
        f"{figure.read} [{source}]",
        figure.protocol,
    )
