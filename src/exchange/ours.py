"""Our own adapter files, as `Method.save` writes them: read with their head, and written."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from ..backbone.model import Backbone
from ..methods._saved import attach_saved
from ..methods.base import Method
from .heads import Head

WEIGHT, BIAS = "head.weight", "head.bias"
"""What a classifier calls its linear head's weights."""


def open_adapter(path: Path, backbone: Backbone, pooling: str) -> tuple[Method, Head | None]:
    """Attach an adapter file to a fresh backbone, and take its linear head out of it.

    Args:
        path: The file.
        backbone: What it was trained on.
        pooling: Which state its head reads; empty where that is not known.

    Raises:
        UserError: The file is no adapter, or does not fit this backbone.
    """
    method = attach_saved(path, backbone)
    tensors = load_file(path)
    if not {WEIGHT, BIAS} <= tensors.keys():
        return method, None
    return method, Head(tensors[WEIGHT], tensors[BIAS], pooling)


def save_adapter(path: Path, method: Method, backbone: Backbone, head: Head | None) -> None:
    """Write an attached method and a head as an adapter file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    method.save(path, Adapted(backbone, head))


class Adapted(nn.Module):
    """A backbone with a method and perhaps a head, by the names that a classifier gives them."""

    def __init__(self, backbone: Backbone, head: Head | None) -> None:
        """Put them together."""
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
