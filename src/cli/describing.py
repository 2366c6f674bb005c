"""The model card of `tunebench export`: what is known of an adapter, its backbone and its run."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..checkpoints.checkpoint import Checkpoint
from ..data.glue import OFFICIAL_SOURCE
from ..data.hub import REPOSITORY
from ..data.pocket import SOURCE as POCKET
from ..data.tasks import GLUE, get_task, task_names
from ..errors import UserError
from ..files import at_home, write_whole
from ..text import quoted

if TYPE_CHECKING:
    from ..records import Result
    from ..report.model_card import Dataset, Evaluation
    from ..training.adapter_file import Adapter

LICENCE = re.compile("[a-z0-9][a-z0-9.+-]{0,63}")
"""How the hub spells a licence: "apache-2.0", "cc-by-sa-4.0"."""
CARD = "README.md"
CLASSES = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "FEATURE_EXTRACTION": "AutoModel",
}
"""Transformers' class of a model by PEFT's task type."""


def checked_licence(text: str | None) -> str:
    """What `--license` names; empty where nothing does.

    Raises:
        UserError: The hub spells no licence like that.
    """
    if text is not None and not LICENCE.fullmatch(text):
        raise UserError(
            "--license: must be a licence as the hub spells it, such as apache-2.0, "
            f"but got {quoted(text)}"
        )
    return text or ""


def write_card(
    folder: Path,
    library: str,
    adapter: Adapter,
    checkpoint: Checkpoint,
    licence: str,
    task_type: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Write the card of an exported folder; a README.md of somebody else stays.

    Args:
        folder: What was exported.
        library: Whose files they are: `peft` or `adapters`.
        adapter: What was exported.
        checkpoint: Its backbone.
        licence: That of the adapter; empty where nobody named one.
        task_type: PEFT's, with PEFT's files.
        notes: What to know of the files.

    Returns:
        What a user should know of the card, in a sentence.
    """
    from ..exchange import base_model
    from ..report.model_card import MARK, ModelCard, text
    from ..training.adapter_file import HEAD

    path = folder / CARD
    if path.exists() and MARK.encode() not in path.read_bytes():
        return f"{CARD} is there and not of `export`: it stays, and no model card was written"
    metadata, evaluation = adapter.metadata, evaluation_of(adapter.path)
    known = metadata.task in task_names()
    name = checkpoint.name
    shown = checkpoint.path.name if at_home(name).exists() else name
    hub_name = base_model.hub_name(name)
    card = ModelCard(
        name=adapter.path.stem,
        library=library,
        method=metadata.method,
        settings=metadata.hyperparameters,
        backbone=shown,
        hub_name=hub_name,
        backbone_digest=metadata.backbone_digest,
        backbone_licence=base_model.licence(checkpoint),
        licence=licence,
        question=get_task(metadata.task).about if known else "",
        labels=metadata.labels,
        classifies=bool(metadata.objective),
        loading=_loading(library, hub_name or shown, task_type, adapter.shapes.get(HEAD, (0,))[0]),
        notes=notes,
        evaluation=evaluation,
    )
    write_whole(path, text(card).encode())
    licensed = f"licence {licence}" if licence else "licence unknown (--license names it)"
    scores = (
        "with its scores" if evaluation else f"without scores, {adapter.path.name} is of no run"
    )
    return f"model card {CARD}: {scores}; {licensed}"


def evaluation_of(path: Path) -> Evaluation | None:
    """The scores of an adapter file that lies in a folder of results, from its run's record.

    Args:
        path: The adapter file; one that lies elsewhere, or was changed since, is of no run.
    """
    from ..analysis import read_from
    from ..analysis.verdict.one_score import score_interval
    from ..report.model_card import Evaluation
    from ..store.store import Store

    folder = path.absolute().parent
    result = Store(folder.parent).result(path.stem)
    if result is None or result.score is None or folder.parent / result.adapter != path.absolute():
        return None
    evaluation = Evaluation(result, _dataset(result), {})
    answers = read_from(folder.parent)(result)
    if answers is None:
        return evaluation
    each = {name: score_interval(name, one, answers) for name, one in evaluation.metrics().items()}
    intervals = {name: interval for name, interval in each.items() if interval is not None}
    return Evaluation(result, evaluation.dataset, intervals)


def _dataset(result: Result) -> Dataset:
    """What a run was tested on; the hub's data set where the rows are those of GLUE."""
    from ..report.model_card import Dataset

    if result.data_source == OFFICIAL_SOURCE and result.task in GLUE:
        split = "validation_matched" if result.task == "mnli" else "validation"
        return Dataset(REPOSITORY, f"GLUE {GLUE[result.task].folder}", result.task, split)
    licence = "apache-2.0, as that of tunebench, which it is a part of"
    name = f"{result.task} ({result.data_source})" if result.data_source else result.task
    return Dataset("", name, licence=licence if result.data_source == POCKET else "")


def _loading(library: str, backbone: str, task_type: str, outputs: int) -> str:
    """Python that loads an exported folder with the library that it is for."""
    base, folder = json.dumps(backbone), '"path/to/this/folder"'
    if library == "adapters":
        return (
            "from adapters import AutoAdapterModel\n\n"
            f"model = AutoAdapterModel.from_pretrained({base})\n"
            f"model.load_adapter({folder}, use_safetensors=True, set_active=True)"
        )
    kind = CLASSES[task_type]
    labels = f", num_labels={outputs}" if task_type == "SEQ_CLS" else ""
    return (
        "from peft import PeftModel\n"
        f"from transformers import {kind}\n\n"
        f"model = {kind}.from_pretrained({base}{labels})\n"
        f"model = PeftModel.from_pretrained(model, {folder})"
    )
