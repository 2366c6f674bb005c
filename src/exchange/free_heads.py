"""Heads of AdapterHub's own models: W h + b on one token, in two files beside the adapter's.

A "classification" head of one layer reads the first token of an encoder, and the last token of a
decoder (which it finds by counting the tokens that are not padding, so padding must be on the
right). None of them reads the mean: a head that does is kept in a file of ours, as in PEFT's.

Source: `adapters` 1.3.0, `heads/base.py` and `loading.py::PredictionHeadLoader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..backbone.config import BackboneConfig
from ..errors import UserError
from .folder import HEAD, open_settings, open_weights, write_folder
from .heads import Head, reads

KIND: Mapping[str, Any] = {"head_type": "classification", "layers": 1, "use_pooler": False}
"""The settings of a head that is one linear map of a token."""
LEFT = "it is left out"


def pooling(cfg: BackboneConfig) -> str:
    """Which token AdapterHub's heads read on this backbone."""
    return "last" if cfg.causal else "first"


def refused(head: Head, cfg: BackboneConfig) -> str | None:
    """Why a head of ours cannot be one of AdapterHub's; none where it can."""
    if head.pooling == pooling(cfg):
        return None
    return f"adapters' heads read the {pooling(cfg)} token of this family, this one {reads(head)}"


def write(folder: Path, head: Head, name: str, common: Mapping[str, Any]) -> None:
    """Write a head's two files.

    Args:
        folder: The adapter's.
        head: One that is not `refused`.
        name: The adapter's: a head of the same name is activated with it.
        common: What both files of settings say of the model.
    """
    config = {
        **KIND,
        "num_labels": len(head.weight),
        "activation_function": None,
        "bias": True,
        "dropout_prob": 0.0,
        "label2id": None,
    }
    stem = f"heads.{name}.1"
    tensors = {f"{stem}.weight": head.weight, f"{stem}.bias": head.bias}
    write_folder(folder, HEAD, {**common, "name": name, "config": config}, tensors)


def remove(folder: Path) -> None:
    """Remove the head of an earlier export, which would be loaded with the new adapter."""
    for name in (HEAD.settings, HEAD.weights):
        (folder / name).unlink(missing_ok=True)


def read(folder: Path, cfg: BackboneConfig) -> tuple[Head | None, tuple[str, ...]]:
    """The head beside an adapter, and notes; one that is more than a linear map is left out.

    Raises:
        UserError: Its files are damaged.
    """
    if not (folder / HEAD.settings).is_file():
        return None, ()
    settings = open_settings(folder, HEAD)
    config = settings.get("config")
    if not isinstance(config, Mapping):
        return None, (f"its head is one of transformers' own models: {LEFT}",)
    if odd := [key for key, value in KIND.items() if config.get(key) != value]:
        shown = ", ".join(f"{key}={config.get(key)!r}" for key in odd)
        return None, (f"its head is more than a linear map of a token ({shown}): {LEFT}",)
    if not (folder / HEAD.weights).is_file() and (folder / HEAD.pickled).is_file():
        return None, (f"its head is a pickle, {HEAD.pickled}: {LEFT}",)
    return _linear(folder, config, str(settings.get("name")), cfg), ()


def _linear(folder: Path, config: Mapping[str, Any], name: str, cfg: BackboneConfig) -> Head:
    """Read the linear map of a head whose settings are `KIND`."""
    tensors, outputs = open_weights(folder, HEAD), config.get("num_labels")
    if isinstance(outputs, bool) or not isinstance(outputs, int) or outputs < 1:
        raise UserError(f"{folder / HEAD.settings}: num_labels={outputs!r} is no number of classes")
    weight = tensors.read(f"heads.{name}.1.weight", (outputs, cfg.width))
    biased = config.get("bias", True)
    bias = tensors.read(f"heads.{name}.1.bias", (outputs,)) if biased else torch.zeros(outputs)
    tensors.done()
    return Head(weight, bias, pooling(cfg))
