"""`tunebench retention`: how much stored adapters forget, by their language model's own loss."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..config import DataSettings, Experiment
from ..errors import UserError
from ..files import at_home
from ..text import one_line
from .flags import KeyPath, Line
from .places import folder_of_results, results_folder
from .runs import named_run
from .text_table import format_table, width

if TYPE_CHECKING:
    from ..retention.change import Change
    from ..retention.measure import Retention, Untuned
    from ..training.adapter_file import Adapter

FLAGS: Mapping[str, str] = {
    "text": "Plain text: a file with a text a line.",
    "task": "Plain text: the test texts of this task, on which no run was trained.",
    "data": "With --task: where its data are, as compare takes it (auto).",
    "texts": "At most so many texts, the first ones (500).",
    "max-length": "Longer texts are cut to so many tokens (128).",
    "out": "Folder of results (runs).",
}
SWITCHES: Mapping[str, str] = {"json": "Print one JSON list of the runs."}
TEXTS, MAX_LENGTH = 500, 128
HEADER = (
    "run",
    "method",
    "tokens",
    "untuned",
    "change",
    "95 % interval",
    "folded",
    "95 % interval",
)
UNDER = (
    "Nats for each of the tokens asked for. Above 0 the tuned model knows plain text worse than "
    "the untuned one; intervals are over texts, for each run alone."
)


@dataclass(frozen=True)
class Row:
    """One run, and what it changes or why that is not known."""

    run: str
    method: str
    task: str
    backbone: str
    retention: Retention | None
    reason: str = ""


def flags() -> dict[str, KeyPath]:
    """Flags by name, each its own setting."""
    return {name: (name.replace("-", "_"),) for name in FLAGS}


def retention(line: Line, command: str) -> int:
    """Print what each run changes of its backbone's own loss; 1 where none could be measured."""
    count, max_length = line.count("texts") or TEXTS, line.count("max_length") or MAX_LENGTH
    texts = _texts(line)[:count]
    adapters = _adapters(line)
    rows = list(_rows(adapters, texts, max_length, line.text("task") or ""))
    if "json" in line.switches:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        _show(rows)
    return 0 if any(row.retention for row in rows) else 1


def _texts(line: Line) -> list[str]:
    """The plain texts that are meant, each once."""
    file, task = line.text("text"), line.text("task")
    if (file is None) == (task is None):
        raise UserError(
            "retention takes plain text from one place: --text FILE (a text a line) or --task NAME"
        )
    if file is not None:
        if line.text("data") is not None:
            raise UserError("--data goes with --task")
        from ..data.files import lines, read_text

        texts = lines(read_text(at_home(file)))
    else:
        from ..data.load import load_task

        settings = DataSettings(source=line.text("data") or DataSettings().source)
        texts = [text for row in load_task(str(task), settings).test.texts for text in row]
    return list(dict.fromkeys(text for text in texts if text.strip()))


def _adapters(line: Line) -> dict[str, Adapter]:
    """The runs that were named, or all of the last comparison that have an adapter, by name."""
    from ..training.adapter_file import find_adapter

    if line.words:
        out = results_folder(line.text("out"))
        return {word: find_adapter(named_run(word, out), out) for word in line.words}
    out = folder_of_results(line.text("out"))
    from ..store.store import Store, require_plan

    store = Store(out)
    cells = [cell.cell for cell in require_plan(store).cells]
    complete = [cell for cell in cells if (row := store.result(cell)) and row.adapter]
    if not complete:
        raise UserError(f"no run of the last comparison in '{out}' is complete")
    return {cell: find_adapter(cell, out) for cell in complete}


def _rows(
    adapters: Mapping[str, Adapter], texts: Sequence[str], max_length: int, task: str
) -> Iterator[Row]:
    """Each run measured; those of one backbone share what the untuned model says."""
    untuned: dict[tuple[str, int | None], Untuned | UserError] = {}
    for name, adapter in adapters.items():
        known = adapter.metadata
        print(f"tunebench: {name}", file=sys.stderr, flush=True)
        key = (known.backbone or Experiment().backbone.name, known.layers)
        row = partial(Row, name, known.method, known.task, key[0])
        try:
            if task and known.task == task:
                raise UserError(f"trained on {task}, whose texts do not show what is forgotten")
            if key not in untuned:
                untuned[key] = _untuned(*key, texts, max_length)
            yield row(_retention(untuned[key], adapter))
        except UserError as error:
            yield row(None, one_line(str(error)))


def _untuned(
    backbone: str, layers: int | None, texts: Sequence[str], max_length: int
) -> Untuned | UserError:
    """A backbone's untuned language model, or why it has none: asked once for all its runs."""
    from ..checkpoints.checkpoint import Checkpoint
    from ..retention.measure import Untuned

    try:
        return Untuned(Checkpoint.open(backbone, layers), texts, max_length)
    except UserError as error:
        return error


def _retention(untuned: Untuned | UserError, adapter: Adapter) -> Retention:
    """What an adapter changes of it."""
    from ..training.adapter_file import check_backbone

    if isinstance(untuned, UserError):
        raise untuned
    check_backbone(adapter, untuned.checkpoint)
    return untuned.retention(adapter.path)


def _show(rows: Sequence[Row]) -> None:
    """The table, what its numbers are, and each run that could not be measured with the reason."""
    lines = [
        (
            row.run,
            row.method,
            f"{one.tokens:,}",
            f"{one.untuned:.3f}",
            *_cells(one.as_trained),
            *_cells(one.folded),
        )
        for row in rows
        if (one := row.retention) is not None
    ]
    if lines:
        print(format_table([HEADER, *lines]))
        print(textwrap.fill(UNDER, width()))
    for row in rows:
        if row.retention is None:
            print(f"{row.run}: not measured: {row.reason}")


def _cells(change: Change) -> tuple[str, str]:
    """A change and its interval, with signs."""
    return f"{change.change:+.3f}", f"{change.low:+.3f} to {change.high:+.3f}"
