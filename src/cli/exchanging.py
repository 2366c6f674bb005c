"""`tunebench export` and `tunebench import`: adapters as files of other libraries, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from ..checkpoints.checkpoint import Checkpoint
from ..config import Experiment
from ..errors import UnknownName, UserError
from ..files import at_home
from .fields import table
from .flags import KeyPath, Line
from .places import file_to_write, folder_to_write, keep_inputs, results_folder
from .runs import named_run

if TYPE_CHECKING:
    from ..backbone.model import Backbone
    from ..training.adapter_file import Adapter

FORMATS = ("peft", "adapters")
EXPORT: Mapping[str, str] = {
    "format": "The library whose files are written: peft, or adapters for bottlenecks (peft).",
    "out-dir": "The folder to write, such as ./adapter.",
    "out": "Folder of results, where RUN is a cell's name, a MLflow run id or best (runs).",
    "task": "With best: which task of the last comparison.",
    "backbone": "What an adapter FILE was trained on: a name, a folder or a file (what it says).",
    "layers": "How many of the backbone's layers an adapter FILE was trained on (what it says).",
    "pooling": "What the head of an adapter FILE reads: mean, first or last (what the file says).",
    "license": "The licence of the adapter in its model card, as the hub spells it (unknown).",
    "task-type": "PEFT's alone: feature_extraction, causal_lm or seq_cls (what the head allows).",
}
IMPORT: Mapping[str, str] = {
    "backbone": "What the adapter belongs to: a known name, a folder or a GGUF file (minilm).",
    "layers": "Only the backbone's first so many layers (all).",
    "out": "The adapter file to write, such as ./adapter.safetensors.",
}


@dataclass(frozen=True)
class Source:
    """An adapter file and what it was trained on."""

    adapter: Adapter
    backbone: str
    layers: int | None
    pooling: str

    @property
    def path(self) -> Path:
        """The adapter file."""
        return self.adapter.path


class Written(NamedTuple):
    """What was exported."""

    first: str
    """The line that says so."""
    notes: tuple[str, ...]
    """What to know of the files."""
    task_type: str = ""
    """PEFT's, with PEFT's files."""


def flags(texts: Mapping[str, str]) -> dict[str, KeyPath]:
    """Flags by name, each its own setting."""
    return {name: (name.replace("-", "_"),) for name in texts}


def export(line: Line, command: str) -> int:
    """Write a trained adapter as a folder of another library."""
    if len(line.words) != 1:
        raise UserError(
            "export takes one run or one adapter file, such as: "
            "tunebench export runs/adapters/NAME.safetensors --out-dir ./adapter"
        )
    library = _format(line)
    out_dir, source = _needed(line, "out_dir", "--out-dir"), _source(line)
    from ..training.adapter_file import check_backbone
    from .describing import CARD, checked_licence, write_card

    licence = checked_licence(line.text("license"))
    poolings = get_args(table()["backbone", "pooling"].annotation)
    if source.pooling not in ("", *poolings):
        raise UnknownName("--pooling", source.pooling, poolings)
    checkpoint = Checkpoint.open(source.backbone, source.layers)
    check_backbone(source.adapter, checkpoint)
    out = folder_to_write(out_dir, "--out-dir")
    from ..exchange.folder import ADAPTERS, PEFT

    for output in (out, out / PEFT.weights, out / ADAPTERS.weights, out / CARD):
        keep_inputs(output, "--out-dir", source.path, checkpoint.path)
    backbone = checkpoint.load_backbone()
    for note in source.adapter.notes:
        print(f"tunebench: {note}", file=sys.stderr)
    with _named(source.path):
        written = _write(out, library, source, checkpoint, backbone, line.text("task_type"))
    card = write_card(
        out, library, source.adapter, checkpoint, licence, written.task_type, written.notes
    )
    _say(written.first, (*written.notes, card))
    return 0


def _write(
    out_dir: Path,
    library: str,
    source: Source,
    checkpoint: Checkpoint,
    backbone: Backbone,
    task: str | None,
) -> Written:
    """Write the folder, without its card."""
    from ..exchange.adapterhub import export_adapters
    from ..exchange.names import peft_names
    from ..exchange.ours import open_adapter
    from ..exchange.peft import export_peft

    names = peft_names(checkpoint)
    base = source.backbone if at_home(source.backbone).is_dir() else None
    method, head = open_adapter(source.path, backbone, source.pooling)
    first = f"{out_dir}: '{method.name}' for"
    if library == "adapters":
        known = export_adapters(out_dir, method, backbone, names, head=head, base=base)
        return Written(f"{first} AdapterHub's adapters", (*known, *_cut(source, checkpoint)))
    task = None if task is None else task.upper()
    kind, *notes = export_peft(out_dir, method, backbone, names, head=head, task=task, base=base)
    to_know = (*notes, *_cut(source, checkpoint))
    return Written(f"{first} PEFT, task type {kind}", to_know, kind)


def _cut(source: Source, checkpoint: Checkpoint) -> tuple[str, ...]:
    """What to know where it was trained on the backbone's first layers alone."""
    if source.layers is None:
        return ()
    whole = checkpoint.files.config.layers
    if source.layers == whole:
        return ()
    return (
        f"trained on the first {source.layers} of {whole} layers: "
        f"load it on a model of so many (num_hidden_layers={source.layers})",
    )


def bring(line: Line, command: str) -> int:
    """Read a folder of PEFT or of adapters and write it as an adapter file."""
    if len(line.words) != 1:
        raise UserError(
            "import takes one folder, such as: "
            "tunebench import ./adapter --backbone minilm --out ./adapter.safetensors"
        )
    folder, out = at_home(line.words[0]), file_to_write(_needed(line, "out", "--out"), "--out")
    name = line.text("backbone") or Experiment().backbone.name
    layers = line.count("layers")
    checkpoint = Checkpoint.open(name, layers)
    keep_inputs(out, "--out", folder, checkpoint.path)
    from ..exchange.importing import import_folder
    from ..exchange.names import peft_names
    from ..exchange.ours import save_adapter
    from ..methods._metadata import AdapterMetadata
    from ..training.adapter_file import lasting_name

    backbone = checkpoint.load_backbone()
    imported = import_folder(folder, backbone, peft_names(checkpoint))
    metadata = AdapterMetadata(lasting_name(name), layers, checkpoint.digest)
    save_adapter(out, imported.method, backbone, imported.head, metadata)
    head = () if imported.head is None else (f"its head reads pooling={imported.head.pooling}",)
    _say(f"{out}: '{imported.method.name}' for {name}", (*imported.notes, *head))
    return 0


def _say(first: str, notes: Sequence[str]) -> None:
    print("\n".join([first, *(f"  {note}" for note in notes)]))


def _format(line: Line) -> str:
    format_name = line.text("format") or "peft"
    if format_name not in FORMATS:
        raise UnknownName("--format", format_name, FORMATS)
    if format_name == "adapters" and line.text("task_type") is not None:
        raise UserError("--task-type is PEFT's: the files of adapters have none")
    return format_name


def _needed(line: Line, key: str, flag: str) -> str:
    text = line.text(key)
    if not text:
        raise UserError(f"{flag} must say where to write")
    return text


def _source(line: Line) -> Source:
    """The adapter that a word means: a file, a folder with one, or a run of a results folder."""
    word = line.words[0]
    from ..training.adapter_file import find_adapter

    out = results_folder(line.text("out"))
    adapter = find_adapter(named_run(word, out), out, line.text("task"))
    metadata = adapter.metadata
    if not at_home(word).exists():
        for flag in ("layers", "pooling"):
            if line.text(flag) is not None:
                raise UserError(f"--{flag} goes with an adapter file: a run knows its own")
    return Source(
        adapter,
        line.text("backbone") or metadata.backbone or Experiment().backbone.name,
        line.count("layers") or metadata.layers,
        line.text("pooling") or metadata.pooling,
    )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An adapter's file stands before what is wrong with it."""
    try:
        yield
    except UserError as error:
        message = str(error)
        raise UserError(message if str(path) in message else f"{path}: {message}") from None
