"""An adapter file found, and what it says of itself completed, before torch is imported.

What a header lacks is taken from the run that the file belongs to, then from the caller, then from
the defaults of the settings; whatever had to be assumed is in a note.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from ..checkpoints.catalogue import KNOWN, locate
from ..checkpoints.checkpoint import Checkpoint
from ..config import BackboneSettings, DataSettings
from ..data.tasks import Task, get_task, task_names
from ..data.text.built_in_templates import BUILT_IN
from ..errors import UnknownName, UserError
from ..files import at_home, resolved
from ..methods._metadata import AdapterMetadata, read_metadata
from ..objectives import get_objective
from ..objectives import names as objective_names
from ..store.runs import Run, find_run

if TYPE_CHECKING:
    from .classifier import Classifier
    from .context import RunContext
    from .prepare import Prepared

HEAD = "head.weight"
"""The matrix of a trained head in an adapter file: one row for each output."""
SUPPLIED = ("layers", "text", "objective", "labels", "pooling", "label_words", "max_length")
"""What a caller may say of a file that does not say it itself."""


@dataclasses.dataclass(frozen=True)
class Adapter:
    """An adapter file and all that is known of it."""

    path: Path
    metadata: AdapterMetadata
    shapes: Mapping[str, tuple[int, ...]]
    """The shape of each tensor by its name in the file."""
    notes: tuple[str, ...] = ()
    """Which run was taken, and what had to be assumed."""


def adapter_metadata(
    context: RunContext, prepared: Prepared, classifier: Classifier
) -> AdapterMetadata:
    """What the file of a trained classifier shall say of itself."""
    settings, task, verbalizer = context.experiment.backbone, prepared.task, prepared.verbalizer
    return AdapterMetadata(
        backbone=lasting_name(settings.name),
        layers=settings.layers,
        backbone_digest=context.checkpoint.digest,
        task=task.name,
        text=task.text,
        objective=task.objective,
        labels=task.labels,
        pooling=settings.pooling if verbalizer is None else "",
        template="" if verbalizer is None else verbalizer.template.written,
        label_words=() if verbalizer is None else verbalizer.words,
        max_length=context.experiment.data.max_length,
        center=classifier.scale.center,
        spread=classifier.scale.spread,
    )


def lasting_name(backbone: str) -> str:
    """A backbone's name that means the same from every working folder."""
    path = at_home(backbone)
    return str(resolved(path)) if backbone not in KNOWN and path.exists() else backbone


def open_adapter(
    run_or_file: str | Path, out: Path, task: str | None, supplied: Mapping[str, Any]
) -> Adapter:
    """The adapter that a file, a folder or a run holds; its backbone is there.

    Args:
        run_or_file: An adapter file, a folder with one, or a run's name, MLflow id or `best`.
        out: Where runs are kept.
        task: Whose best is meant, where the last comparison has several tasks.
        supplied: What the caller says: `backbone`, or what the file does not say itself.

    Raises:
        UserError: There is no such run or file, it is damaged, or something needed is not known.
    """
    adapter = find_adapter(run_or_file, out, task)
    path, shapes = adapter.path, adapter.shapes
    values, notes = _completed(path, adapter.metadata, shapes, supplied)
    metadata = dataclasses.replace(adapter.metadata, **values)
    _check(path, metadata, shapes)
    try:
        locate(metadata.backbone)
    except UserError as error:
        raise UserError(f"{error}; if it is elsewhere now, name the place by --backbone") from None
    return Adapter(path, metadata, shapes, (*adapter.notes, *notes))


def find_adapter(run_or_file: str | Path, out: Path, task: str | None = None) -> Adapter:
    """The adapter that a file, a folder or a run holds, with what its header or its run says.

    What neither of them says is in the metadata's `lacks`; nothing is assumed here.

    Args:
        run_or_file: An adapter file, a folder with one, or a run's name, MLflow id or `best`.
        out: Where runs are kept.
        task: Whose best is meant, where the last comparison has several tasks.

    Raises:
        UserError: There is no such run or file, or it is damaged.
    """
    path, run = _find(str(run_or_file), out, task)
    metadata, shapes = read_metadata(path)
    if run is None:
        return Adapter(path, metadata, shapes)
    recorded = {name: v for name, v in _from_run(run).items() if name in metadata.lacks}
    lacks = tuple(name for name in metadata.lacks if name not in recorded)
    metadata = dataclasses.replace(metadata, **recorded, lacks=lacks)
    return Adapter(path, metadata, shapes, run.notes)


def check_backbone(adapter: Adapter, checkpoint: Checkpoint) -> None:
    """Refuse another backbone than the adapter was trained on; a file that names none is trusted.

    Raises:
        UserError: The weights, or the number of layers, are not the same.
    """
    metadata = adapter.metadata
    wanted = metadata.backbone_digest
    if wanted and checkpoint.digest != wanted:
        layers = "" if metadata.layers is None else f" ({metadata.layers} layers)"
        raise UserError(
            f"backbone '{metadata.backbone}'{layers} is another than {adapter.path.name} was "
            f"trained on: its digest is not {wanted[:12]}…"
        )


def check_texts(texts: Sequence[str | Sequence[str]], columns: int) -> list[tuple[str, ...]]:
    """Each row's text, or its two, as a tuple.

    Raises:
        UserError: A row has another number of texts than the task, or an empty one.
    """
    rows = [(row,) if isinstance(row, str) else tuple(row) for row in texts]
    for number, row in enumerate(rows, start=1):
        if len(row) != columns:
            wanted = "one text" if columns == 1 else "two texts"
            raise UserError(f"row {number}: the task takes {wanted}, but got {len(row)}")
        if not all(isinstance(text, str) and text.strip() for text in row):
            raise UserError(f"row {number}: the text is empty")
        if any("\ud800" <= character <= "\udfff" for text in row for character in text):
            raise UserError(f"row {number}: half a surrogate pair, which is no character")
    return rows


def _find(name: str, out: Path, task: str | None) -> tuple[Path, Run | None]:
    """The file that is meant, and the run it belongs to if a run was named."""
    path = at_home(name)
    if path.is_file():
        return path, None
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        if (path / "adapter_config.json").is_file():
            raise UserError(
                f"'{path}' is another library's folder: make an adapter file of it first, "
                "with `tunebench import`"
            )
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            raise UserError(f"'{path}' must hold one adapter file, but holds {names}")
        return files[0], None
    if path.name != name:
        raise UserError(f"no adapter file '{name}'")
    if not out.is_dir():
        raise UserError(f"no adapter file '{name}', and no folder of runs '{out}'")
    run = find_run(out, name, task)
    return run.adapter, run


def _completed(
    path: Path,
    metadata: AdapterMetadata,
    shapes: Mapping[str, tuple[int, ...]],
    supplied: Mapping[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """Values for what the header lacks, and notes of what was assumed."""
    unknown = [name for name in supplied if name not in (*SUPPLIED, "backbone")]
    if unknown:
        raise UnknownName("argument", unknown[0], (*SUPPLIED, "backbone"))
    for name in supplied:
        if name != "backbone" and name not in metadata.lacks:
            raise UserError(f"{name.replace('_', '-')}: {path.name} says its own")
    lacks = set(metadata.lacks)
    values = dict(supplied)
    assumed = _defaults(metadata, shapes, values)
    missing = {name: value for name, value in assumed.items() if name in lacks - values.keys()}
    notes = []
    if missing:
        assumptions = ", ".join(f"{name}={_shown(value)}" for name, value in missing.items())
        notes.append(f"{path.name} does not say all that is needed; assumed: {assumptions}")
    return values | missing, notes


def _defaults(
    metadata: AdapterMetadata, shapes: Mapping[str, tuple[int, ...]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """What is assumed where nobody says it: the settings' defaults, and numbered classes."""
    outputs = shapes.get(HEAD, (0,))[0]
    objective = values.get("objective") or metadata.objective
    if not objective:
        objective = "regression" if outputs == 1 else "classification"
    classes = () if objective == "regression" else tuple(map(str, range(outputs)))
    words = values.get("label_words") or metadata.label_words
    return {
        "backbone": BackboneSettings().name,
        "text": ("text",),
        "objective": objective,
        "labels": words or classes,
        "pooling": "" if metadata.template else BackboneSettings().pooling,
        "max_length": DataSettings().max_length,
    }


def _from_run(run: Run) -> dict[str, Any]:
    """What the store knows of a run whose file was made before files had it themselves."""
    data, result = run.experiment["data"], run.result
    values: dict[str, Any] = {
        "backbone": run.backbone,
        "layers": run.layers,
        "backbone_digest": run.digest,
        "task": result.task,
        "pooling": "" if result.template else run.pooling,
        "template": result.template,
        "max_length": data["max_length"],
    }
    if result.task in task_names():
        task: Task = get_task(result.task)
        values |= {"text": task.text, "objective": task.objective, "labels": task.labels}
        built_in = BUILT_IN.get(task.name, ())
        usual = [one.words for one in built_in if result.template in (one.decoder, one.encoder)]
        usual += [one.words for one in built_in]
        if result.template and (data["label_words"] or usual):
            values["label_words"] = tuple(data["label_words"] or usual[0])
    elif data["text"]:
        values["text"] = tuple(data["text"])
    return values


def _check(path: Path, metadata: AdapterMetadata, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Everything that answering needs is known, and fits together."""
    poolings = get_args(get_type_hints(BackboneSettings)["pooling"])
    if metadata.objective not in objective_names():
        raise UnknownName("objective", metadata.objective, objective_names())
    if len(metadata.text) not in (1, 2):
        raise UserError(f"{path}: a task has one text column or two, but got {metadata.text}")
    if metadata.template:
        if len(metadata.label_words) != len(metadata.labels) or not metadata.labels:
            raise UserError(
                f"{path}: a template needs a word for each class, but got "
                f"label-words={_shown(metadata.label_words)} and labels={_shown(metadata.labels)}"
            )
        return
    if HEAD not in shapes or len(shapes[HEAD]) != 2:
        raise UserError(f"{path} holds no head that was trained, so it answers no question")
    if metadata.pooling not in poolings:
        raise UnknownName("pooling", metadata.pooling, poolings)
    wanted = get_objective(metadata.objective).outputs(
        Task(metadata.task, metadata.text, "label", metadata.labels, (), "")
    )
    if shapes[HEAD][0] != wanted:
        raise UserError(
            f"{path}: its head has {shapes[HEAD][0]} outputs, but "
            f"labels={_shown(metadata.labels)} ask for {wanted}"
        )


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
