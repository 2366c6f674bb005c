"""Adapter files of this library, as `Method.save` writes them: read and written with a head."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from ..backbone.model import Backbone
from ..methods._metadata import AdapterMetadata
from ..methods._saved import attach_saved
from ..methods.base import Method
from .heads import Head

WEIGHT, BIAS = "head.weight", "head.bias"
"""The names of a linear head's weights in a classifier, and so in its adapter file."""
POOLING = "pooling"
"""The entry of an adapter file's header that says which state its head reads."""


def open_adapter(path: Path, backbone: Backbone, pooling: str) -> tuple[Method, Head | None]:
    """Attach an adapter file to a fresh backbone, and take its linear head out of it.

    Args:
        path: The file.
        backbone: What it was trained on.
        pooling: Which state its head reads; empty takes what the file says, if it says so.

    Raises:
        UserError: The file is no adapter, or does not fit this backbone.
    """
    method = attach_saved(path, backbone)
    with safe_open(path, framework="pt") as file:
        if not {WEIGHT, BIAS} <= set(file.keys()):
            return method, None
        recorded = (file.metadata() or {}).get(POOLING, "")
        weight, bias = file.get_tensor(WEIGHT), file.get_tensor(BIAS)
    return method, Head(weight, bias, pooling or recorded)


def save_adapter(
    path: Path,
    method: Method,
    backbone: Backbone,
    head: Head | None,
    metadata: AdapterMetadata | None = None,
) -> None:
    """Write an attached method and a head as an adapter file.

    Args:
        path: The file.
        method: What is attached.
        backbone: What it is attached to.
        head: A linear head, or none.
        metadata: Which backbone it is. What the files of other libraries do not say, such as the
            names of the classes, is left out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {} if metadata is None else metadata.to_header("backbone", "layers", "backbone_digest")
    if head is not None:
        # The heads of other libraries read plain texts: an empty template says so.
        header |= {POOLING: head.pooling, "template": ""}
    method.save(path, Adapted(backbone, head), header)


class Adapted(nn.Module):
    """A backbone and perhaps a head, under the names that they have in a classifier."""

    def __init__(self, backbone: Backbone, head: Head | None) -> None:
        """Put the two together; without a head there is the backbone alone."""
        super().__init__()
        self.backbone = backbone
        self.head = None if head is None else _linear(head)


def _linear(head: Head) -> nn.Linear:
    outputs, width = head.weight.shape
    made = nn.Linear(width, outputs)
    with torch.no_grad():
        made.weight.copy_(head.weight)
        made.bias.copy_(head.bias)
    return made
