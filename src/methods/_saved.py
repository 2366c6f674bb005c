"""A file that `Method.save` wrote → the method, attached to a backbone with what was trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..backbone.model import Backbone
from ..backbone.ports import Pass
from ..errors import UserError
from . import get_method
from .base import FORMAT, Method, trained

INSIDE = "backbone."
"""What the names of a classifier's weights begin with where they are the backbone's."""
SLOT = "[P]"
"""Where a template has virtual tokens; without any they stand before the text."""


def attach_saved(path: str | Path, backbone: Backbone) -> Method:
    """Attach the method of an adapter file; a head that was saved with it is left where it is.

    Raises:
        UserError: Where the file is no adapter, does not fit this backbone, or has virtual tokens
            that stand elsewhere than before a text.
    """
    meta, tensors = _read(Path(path))
    try:
        method = get_method(meta["method"])(**json.loads(meta["hyperparameters"], object_hook=_set))
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: its method or hyperparameters are not read: {error}") from None
    method.attach(backbone)
    written = meta.get("template", "")
    if _has_slots_behind(written) and not isinstance(backbone.prompt, Pass):
        raise UserError(
            f"{path}: its virtual tokens belong in the slots of data.template {written!r}, "
            "and there is no template here"
        )
    saved = {k.removeprefix(INSIDE): v for k, v in tensors.items() if k.startswith(INSIDE)}
    own = trained(backbone)
    odd = [name for name in {**own, **saved} if name not in own or name not in saved]
    odd += [name for name in own if name in saved and own[name].shape != saved[name].shape]
    if odd:
        raise UserError(f"{path} does not fit '{method.name}' on this backbone: {sorted(odd)[:3]}")
    for name, parameter in own.items():
        parameter.data.copy_(saved[name])
    return method


def _has_slots_behind(written: str) -> bool:
    """Whether a template has a slot elsewhere than before all else."""
    while written.startswith(SLOT):
        written = written.removeprefix(SLOT).lstrip(" ")
    return SLOT in written


def _set(raw: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters as they were: JSON has no tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def _read(path: Path) -> tuple[Mapping[str, str], Mapping[str, Tensor]]:
    if not path.is_file():
        raise UserError(f"no adapter file '{path}'")
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path} is not a readable safetensors file: {error}") from None
    if meta.get("format") != FORMAT:
        raise UserError(
            f"{path} is not an adapter that was saved here "
            f"(its format is '{meta.get('format')}', not '{FORMAT}')"
        )
    return meta, tensors
