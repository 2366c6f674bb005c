"""`tunebench drift`: cells of the last comparison, trained again in today's environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..config import Seed
from ..errors import UnknownName, UserError
from .flags import KeyPath, Line
from .places import folder_of_results, folder_to_write

if TYPE_CHECKING:
    from ..analysis.drift import Drift

FLAGS: Mapping[str, str] = {
    "methods": "Only these methods, commas between; by default all of the comparison.",
    "seeds": "Only these seeds, commas between; by default all of the comparison.",
    "train.threads": "CPU threads to train with; by default as the comparison asked for.",
    "train.accelerator": "auto, cpu or gpu; by default as the comparison asked for.",
    "out": "Folder of results (runs).",
}
SWITCHES: Mapping[str, str] = {
    "json": "Print one JSON list, an object for each method; the progress goes to standard error."
}


def flags() -> dict[str, KeyPath]:
    """Flags by name, and the settings that they stand for."""
    return {name: tuple(name.split(".")) for name in FLAGS}


def drift(line: Line, command: str) -> int:
    """Train cells again and print how far they moved; 1 where one does not complete."""
    from ..validation import validated
    from .yaml_file import scalar

    for flag in line.flags:
        if flag.path not in flags().values():
            raise UnknownName("flag", flag.typed, [*(f"--{name}" for name in FLAGS), "--json"])
    methods = _names(line, "methods")
    seeds = []
    for name in _names(line, "seeds"):
        seeds.append(validated(Seed, scalar(name, "--seeds"), lambda path: "--seeds"))
    train = {
        key: scalar(text, f"--train.{key}")
        for key in ("threads", "accelerator")
        if (text := line.text("train", key)) is not None
    }
    out = folder_of_results(line.text("out"))
    folder_to_write(str(out), "--out")
    from ..report.console import diagnostics
    from ..report.drift import show
    from ..report.live import Live
    from ..study.drift import drift as run

    as_json = "json" in line.switches
    with Live(diagnostics() if as_json else None) as progress:
        drifted = run(
            out, tasks=line.words, methods=methods, seeds=seeds, train=train, progress=progress
        )
    if as_json:
        print(json.dumps(_content(drifted.groups), allow_nan=False))
    elif drifted.groups:
        show(drifted.groups)
    return 1 if drifted.failed else 0


def _content(groups: Mapping[tuple[str, ...], Sequence[Drift]]) -> list[dict[str, Any]]:
    """How far each method moved, and in what the environments differ."""
    return [
        {**asdict(one), "difference": one.difference, "environment": list(change)}
        for change, every in groups.items()
        for one in every
    ]


def _names(line: Line, flag: str) -> tuple[str, ...]:
    """The names behind a flag, which must name one where it stands."""
    text = line.text(flag)
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UserError(f"--{flag}: must name one at least")
    return names
