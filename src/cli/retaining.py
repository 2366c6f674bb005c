"""`tunebench retention`: how much stored adapters forget, by their language model's own loss."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
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
    from ..records import Result
    from ..retention.change import Change, Losses, Retention
    from ..retention.measure import Untuned
    from ..retention.stored import Texts
    from ..store.store import Store
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
    """Print what each run changes of its backbone's own loss; 1 where none could be measured.

    What was measured of a run of the folder is stored there, and the report shows it.
    """
    texts, adapters = _texts(line), _adapters(line)
    from ..store.store import Store

    store = Store(results_folder(line.text("out")))
    question = Question(texts, line.text("task") or "", store)
    rows = [question.row(name, adapter) for name, adapter in adapters.items()]
    if "json" in line.switches:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        _show(rows)
    if question.stored and store.plan() is not None:
        from ..report.console import diagnostics
        from ..report.live import Live
        from ..study.publish import rebuild

        with Live(diagnostics()) as progress:
            rebuild(store.out, progress=progress)
    return 0 if any(row.retention for row in rows) else 1


def _texts(line: Line) -> Texts:
    """The plain texts that are meant, each once."""
    from ..retention.stored import Texts

    count, max_length = line.count("texts") or TEXTS, line.count("max_length") or MAX_LENGTH
    file, task = line.text("text"), line.text("task")
    if (file is None) == (task is None):
        raise UserError(
            "retention takes plain text from one place: --text FILE (a text a line) or --task NAME"
        )
    if file is not None:
        if line.text("data") is not None:
            raise UserError("--data goes with --task")
        from ..data.files import lines, read_text

        path = at_home(file)
        texts, source = lines(read_text(path)), path.name
    else:
        from ..data.load import load_task

        settings = DataSettings(source=line.text("data") or DataSettings().source)
        texts = [text for row in load_task(str(task), settings).test.texts for text in row]
        source = f"test texts of {task}"
    each = list(dict.fromkeys(text for text in texts if text.strip()))
    return Texts(each[:count], max_length, source)


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


class Question:
    """What every run is asked, and what was found for it; backbones are read once."""

    def __init__(self, texts: Texts, task: str, store: Store) -> None:
        """Nothing is measured yet.

        Args:
            texts: The plain texts.
            task: The task that they are of; empty where they are of none.
            store: Keeps what was measured of its own runs.
        """
        self.texts, self.task, self.store = texts, task, store
        self.stored = 0
        """How many measurements were stored."""
        self._untuned: dict[tuple[str, int | None], Untuned | UserError] = {}

    def row(self, name: str, adapter: Adapter) -> Row:
        """One run, as it is stored or measured now."""
        known = adapter.metadata
        backbone = known.backbone or Experiment().backbone.name
        row = partial(Row, name, known.method, known.task, backbone)
        try:
            if self.task and known.task == self.task:
                raise UserError(
                    f"trained on {self.task}, whose texts do not show what is forgotten"
                )
            return row(self._retention(name, adapter, (backbone, known.layers)))
        except UserError as error:
            return row(None, one_line(str(error)))

    def _retention(
        self, name: str, adapter: Adapter, backbone: tuple[str, int | None]
    ) -> Retention:
        """What is stored of a run of the folder, else what is measured now."""
        from ..retention.stored import known, retention_of

        cell = self._cell(adapter)
        stored = () if cell is None else self.store.retention([cell.cell])
        there = None if cell is None else known(stored, cell, self.texts)
        if there is not None:
            return retention_of(there)
        print(f"tunebench: {name}", file=sys.stderr, flush=True)
        return self._measured(adapter, cell, backbone)

    def _measured(
        self, adapter: Adapter, cell: Result | None, backbone: tuple[str, int | None]
    ) -> Retention:
        """What an adapter changes; stored where it is that of a cell."""
        from ..retention.change import retention
        from ..training.adapter_file import check_backbone

        if backbone not in self._untuned:
            self._untuned[backbone] = _untuned(*backbone, self.texts)
        untuned = self._untuned[backbone]
        if isinstance(untuned, UserError):
            raise untuned
        check_backbone(adapter, untuned.checkpoint)
        tuned = untuned.tuned(adapter.path)
        if cell is not None:
            self._store(cell, untuned, tuned)
        return retention(untuned.losses, *tuned)

    def _store(self, cell: Result, untuned: Untuned, tuned: tuple[Losses, Losses]) -> None:
        """Keep it; a folder that cannot be written to does not lose the answer."""
        from ..retention.stored import record

        losses = record(cell, self.texts, untuned.device, untuned.losses, *tuned)
        try:
            self.store.put_retention(losses)
            self.stored += 1
        except (UserError, OSError) as error:
            print(f"tunebench: not stored: {one_line(str(error))}", file=sys.stderr)

    def _cell(self, adapter: Adapter) -> Result | None:
        """The cell of the folder whose adapter it is; none for any other file."""
        result = self.store.result(adapter.path.stem)
        if result is None or not result.adapter:
            return None
        return result if (self.store.out / result.adapter).samefile(adapter.path) else None


def _untuned(backbone: str, layers: int | None, texts: Texts) -> Untuned | UserError:
    """A backbone's untuned language model, or why it has none: asked once for all its runs."""
    from ..checkpoints.checkpoint import Checkpoint
    from ..retention.measure import Untuned

    try:
        return Untuned(Checkpoint.open(backbone, layers), texts.texts, texts.max_length)
    except UserError as error:
        return error


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
