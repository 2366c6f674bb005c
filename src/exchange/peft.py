"""PEFT's folders, both ways: which of our methods is which of PEFT's types, and their heads.

Source: PEFT 0.21's own reader and writer, `peft/utils/save_and_load.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..backbone.model import Backbone
from ..errors import UnknownName, UserError
from ..methods.base import Method
from . import factors, heads, low_rank, prefixes, prompts
from .folder import PEFT, open_settings, open_weights, write_folder
from .heads import Fitting, Head
from .names import BASE, TASKS, PeftNames
from .parts import Exporter, Imported, Importer, attach

EXPORTERS: Mapping[str, Exporter] = {
    "lora": low_rank.export,
    "ia3": factors.export,
    "prefix": prefixes.export,
    "p_tuning_v2": prefixes.export,
    "prompt": prompts.export,
    "p_tuning": prompts.export_encoded,
}
"""Our methods that PEFT has an equal of."""
IMPORTERS: Mapping[str, Importer] = {
    "LORA": low_rank.import_,
    "IA3": factors.import_,
    "PREFIX_TUNING": prefixes.import_,
    "PROMPT_TUNING": prompts.import_,
    "P_TUNING": prompts.import_encoded,
}
"""PEFT's types that we have an equal of."""
LONGER = ("prompt", "p_tuning")
"""Methods that make a text longer: transformers' heads then read another token than ours."""
VIRTUAL = ("PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING")
"""PEFT's types of virtual tokens: their files have `base_model.` before the names of a head."""


def export_peft(
    folder: Path,
    method: Method,
    backbone: Backbone,
    names: PeftNames,
    *,
    head: Head | None = None,
    task: str | None = None,
    base: str | None = None,
) -> tuple[str, ...]:
    """Write an attached method as a PEFT folder.

    Args:
        folder: Where its files go; they replace what is there.
        method: What is attached to the backbone.
        backbone: With the trained weights.
        names: Transformers' names of the backbone's modules.
        head: The classification head that was trained with it.
        task: PEFT's task type; none chooses by the head and the backbone.
        base: What the file calls the backbone; none leaves that open.

    Returns:
        The task type that was written, and what a user should know of the files.

    Raises:
        UserError: PEFT has nothing that is equal to this method on this backbone, or the method is
            not attached to it any more.
    """
    if method.name not in EXPORTERS:
        equals = ", ".join(EXPORTERS)
        raise UserError(f"PEFT has no equal of '{method.name}' (it has of: {equals})")
    method.require_weights(backbone, "export")
    fitting = _fitting(method, names, head)
    task = _task(task, fitting, head, backbone)
    exported = EXPORTERS[method.name](method, backbone, names, names.root(task))
    settings = {"task_type": task, "inference_mode": True, "base_model_name_or_path": base}
    tensors, notes = dict(exported.tensors), exported.notes
    (folder / heads.FILE).unlink(missing_ok=True)
    if task == "SEQ_CLS" and isinstance(fitting, Fitting):
        tensors |= fitting.tensors
        settings["modules_to_save"] = list(fitting.modules)
    elif head is not None:
        heads.write_beside(folder, head)
        why = fitting if isinstance(fitting, str) else f"{task} has no head"
        notes = (*notes, f"the head is in a file of its own, {heads.FILE}: {why}")
    write_folder(folder, PEFT, {**exported.settings, **settings}, tensors)
    return (task, *notes)


def _fitting(method: Method, names: PeftNames, head: Head | None) -> Fitting | str:
    """The head in transformers' own modules, or why it cannot be there."""
    if head is None:
        return "there is none"
    if method.name in LONGER:
        return f"after {method.name} PEFT's head reads another token"
    return heads.fit(head, names, _stem(EXPORTERS[method.name] is prefixes.export))


def _task(task: str | None, fitting: Fitting | str, head: Head | None, backbone: Backbone) -> str:
    """The task type that was asked for, where it can be; else the one that says most."""
    if task is None:
        if isinstance(fitting, Fitting):
            return "SEQ_CLS"
        return "CAUSAL_LM" if backbone.cfg.causal and head is None else "FEATURE_EXTRACTION"
    if task not in TASKS:
        raise UnknownName("task type", task.lower(), [each.lower() for each in TASKS])
    if task == "SEQ_CLS" and isinstance(fitting, str):
        raise UserError(f"the head cannot be written for SEQ_CLS: {fitting}")
    if task == "CAUSAL_LM" and not backbone.cfg.causal:
        raise UserError("CAUSAL_LM needs a causal backbone, and this one is an encoder")
    return task


def _stem(virtual: bool) -> str:
    """What stands before a head's names, in a file of virtual tokens or of weights inside."""
    return "base_model." if virtual else BASE


def import_peft(folder: Path, backbone: Backbone, names: PeftNames) -> Imported:
    """Attach what a PEFT folder holds to a fresh backbone.

    Raises:
        UserError: The folder is not readable, does not fit this backbone, or has no equal here.
    """
    settings, tensors = open_settings(folder, PEFT), open_weights(folder, PEFT)
    kind = str(settings.get("peft_type"))
    if kind not in IMPORTERS:
        raise UnknownName("PEFT type", kind, IMPORTERS)
    adapter = IMPORTERS[kind](settings, tensors, names, backbone.cfg)
    stem = _stem(kind in VIRTUAL)
    head, notes = None, heads.leave_out(tensors, settings, stem)
    if notes is None:
        head, notes = heads.find(tensors, names, backbone.cfg.width, stem)
    tensors.done()
    head = heads.read_beside(folder, backbone.cfg.width) or head
    attached = attach(adapter, backbone)
    return Imported(adapter.method, head, (*attached, *notes))
