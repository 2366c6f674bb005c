"""`tunebench costs`: what each method takes in memory, operations and bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..analysis.format import ABSENT, percent, short, size
from ..files import write_whole
from .flags import KeyPath, Line
from .latency import experiment_of, lab_flags
from .places import made_folder
from .text_table import format_table

if TYPE_CHECKING:
    from ..costs.work import Cost

TASKS_SERVED = 100
FLAGS: Mapping[str, str] = {
    "methods": "Only these methods, in this order; all means every one there is.",
    "out": "Folder of results (runs): held meanwhile, and costs.json is written there.",
    "batch": "Texts in a step (16).",
    "length": "Tokens of each text (128); without it where a task is named, its real texts.",
    "tasks-served": f"So many tasks are kept on one backbone ({TASKS_SERVED}).",
}
SWITCHES: Mapping[str, str] = {
    "json": "Print what costs.json has; the progress goes to standard error."
}
HEADER = (
    *("method", "trained", "weights", "gradients", "optimizer", "activations", "working"),
    *("counted", "measured", "step FLOPs", "serving FLOPs", "file"),
)
ENDING = (
    "Memory: what a step of AdamW holds at the moment when that is most, and the rise of the peak\n"
    "that was measured. FLOPs: a step forward and back, and a pass of the folded network."
)


def flags() -> dict[str, KeyPath]:
    """Flags by name, and the settings they stand for."""
    return lab_flags() | {name: (name.replace("-", "_"),) for name in FLAGS}


def costs(line: Line, command: str) -> int:
    """Count the costs of each method and print the table."""
    texts, tokens = line.count("batch") or 16, line.count("length")
    served = line.count("tasks_served") or TASKS_SERVED
    experiment = experiment_of(line, "costs")
    out = made_folder(experiment.out, "--out")
    from ..report.console import diagnostics
    from ..report.live import Live
    from ..study.laboratory import laboratory

    with Live(diagnostics()) as progress, laboratory(experiment, progress) as lab:
        if tokens is None and not line.words:
            tokens = 128
        batch, padding = lab.batch(texts, tokens, progress)
        counted = list(lab.costs(batch, progress))
        content = {
            **lab.origin,
            "texts": texts,
            "tokens": len(batch.ids),
            "padding": padding,
            "backbone_bytes": lab.bytes,
            "energy": None,
            "tasks_served": served,
            "costs": [_content(one, served, lab.bytes) for one in counted],
        }
    file = out / "costs.json"
    text = json.dumps(content, allow_nan=False, indent=1)
    write_whole(file, text.encode())
    print(text if "json" in line.switches else f"{_text(counted, content)}\n\nWritten: {file}")
    return 0


def _content(cost: Cost, served: int, backbone: int) -> dict[str, Any]:
    """A method's costs for a script."""
    memory = cost.memory
    more = {"counted": memory.counted, "explained": memory.explained}
    return {
        **asdict(cost),
        "memory": asdict(memory) | more,
        "stored": cost.stored(served, backbone),
    }


def _text(counted: Sequence[Cost], content: Mapping[str, Any]) -> str:
    """The table for a reader."""
    served, backbone = content["tasks_served"], content["backbone_bytes"]
    stored = [(one.method, size(one.stored(served, backbone))) for one in counted]
    saved = percent(content["padding"]) if content["padding"] else "no"
    return "\n\n".join(
        [
            f"{content['backbone']} on {content['device']}: {content['texts']} texts, "
            f"{content['tokens']:,} tokens, {saved} padding saved; energy: {ABSENT}",
            format_table([HEADER, *map(_row, counted)], 0),
            format_table([(f"{served} tasks", "kept on one backbone"), *stored], 0),
            ENDING,
        ]
    )


def _row(cost: Cost) -> tuple[str, ...]:
    memory = cost.memory
    parts = (memory.weights, memory.gradients, memory.optimizer, memory.activations)
    return (
        cost.method,
        short(cost.trained),
        *map(size, (*parts, memory.working, memory.counted)),
        ABSENT if memory.measured is None else size(memory.measured),
        short(cost.training.by_torch),
        short(cost.serving.by_torch),
        size(cost.file),
    )
