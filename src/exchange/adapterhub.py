"""AdapterHub's folders, both ways: a bottleneck adapter, and the head that was trained with it.

Stock `adapters` reads them on its own model class or on one of transformers' that `adapters.init`
prepared: `model.load_adapter(folder, use_safetensors=True, set_active=True)`.

Source: `adapters` 1.3.0, `loading.py` and `configuration/model_adapters_config.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..backbone.model import Backbone
from ..errors import UserError
from ..methods.base import Method
from . import bottlenecks, free_heads, heads
from .folder import ADAPTERS, open_settings, open_weights, write_folder
from .heads import Head
from .names import PeftNames
from .parts import Imported, attach
from .places import NAME, places

VERSION = "adapters.1.3.0"
"""Whose format is written; without a version `adapters` takes "gelu" for another function."""


def export_adapters(
    folder: Path,
    method: Method,
    backbone: Backbone,
    names: PeftNames,
    *,
    head: Head | None = None,
    base: str | None = None,
) -> tuple[str, ...]:
    """Write an attached bottleneck adapter as a folder of `adapters`.

    Args:
        folder: Where its files go; they replace what is there.
        method: What is attached to the backbone.
        backbone: With the trained weights.
        names: Transformers' names of the backbone's modules.
        head: The classification head that was trained with it.
        base: What the file calls the backbone; none leaves that open.

    Returns:
        What a user should know of the files.

    Raises:
        UserError: The format has nothing that is equal to this method on this backbone, or the
            method is not attached to it.
    """
    if method.name != "adapter":
        raise UserError(
            f"--format adapters is for bottleneck adapters, and this is '{method.name}': "
            "--format peft has equals of other methods"
        )
    method.require_weights(backbone, "export")
    common = _common(places(names).model, backbone, names, base)
    exported = bottlenecks.export(method, backbone, names)
    free_heads.remove(folder)
    (folder / heads.FILE).unlink(missing_ok=True)
    write_folder(
        folder, ADAPTERS, {**common, "name": NAME, "config": exported.settings}, exported.tensors
    )
    safely = f"load_adapter(..., {ADAPTERS.safely}): its weights are not pickled"
    if head is None:
        return (safely,)
    why = free_heads.refused(head, backbone.cfg)
    if why is None:
        free_heads.write(folder, head, NAME, common)
        return (safely,)
    heads.write_beside(folder, head)
    return safely, f"the head is in a file of its own, {heads.FILE}: {why}"


def _common(
    model: str, backbone: Backbone, names: PeftNames, base: str | None
) -> Mapping[str, Any]:
    """The settings that the adapter's file and the head's have in common: which model it is."""
    return {
        "model_type": names.kind,
        "model_class": model,
        "model_name": base,
        "hidden_size": backbone.cfg.width,
        "version": VERSION,
    }


def import_adapters(folder: Path, backbone: Backbone, names: PeftNames) -> Imported:
    """Attach what a folder of `adapters` holds to a fresh backbone.

    Raises:
        UserError: The folder is not readable, does not fit this backbone, or has no equal here.
    """
    settings = open_settings(folder, ADAPTERS)
    _check_model(settings, names)
    tensors = open_weights(folder, ADAPTERS)
    adapter = bottlenecks.import_(settings, tensors, names, backbone.cfg)
    tensors.done()
    head, notes = free_heads.read(folder, backbone.cfg)
    head = heads.read_beside(folder, backbone.cfg.width) or head
    attached = attach(adapter, backbone)
    return Imported(adapter.method, head, (*attached, *notes))


def _check_model(settings: Mapping[str, Any], names: PeftNames) -> None:
    """Refuse an adapter of another family of models, or of another kind than a bottleneck."""
    kind, config = settings.get("model_type"), settings.get("config")
    if kind != names.kind:
        raise UserError(f"the adapter belongs to a '{kind}', and this backbone is a '{names.kind}'")
    if not isinstance(config, Mapping):
        raise UserError(f"the adapters setting config={config!r} is not read: it must be spelt out")
    if config.get("architecture") is not None:
        raise UserError(
            f"the adapters setting architecture={config['architecture']!r} is not read: "
            "only bottleneck adapters are"
        )
