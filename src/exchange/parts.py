"""What each method's file gives: the two directions of one exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..methods import get_method
from ..methods.base import Method, trained
from .folder import Tensors
from .heads import Head
from .names import PeftNames


def made(name: str, **settings: Any) -> Method:
    """A method by name, with these settings."""
    return get_method(name)(**settings)


@dataclass(frozen=True)
class Exported:
    """A method in another library's words."""

    settings: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    notes: tuple[str, ...] = ()
    """What a user should know of it."""


@dataclass(frozen=True)
class ReadAdapter:
    """An adapter of another library in our words."""

    method: Method
    weights: Mapping[str, Tensor]
    """By our names in the backbone."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What a folder held."""

    method: Method
    """Attached to the backbone, with the folder's weights."""
    head: Head | None
    notes: tuple[str, ...]


def attach(adapter: ReadAdapter, backbone: Backbone) -> None:
    """Attach what was read to a fresh backbone, with its weights."""
    adapter.method.attach(backbone)
    parameters = trained(backbone)
    assert parameters.keys() == adapter.weights.keys(), parameters.keys() ^ adapter.weights.keys()
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(adapter.weights[name])


class Exporter(Protocol):
    """Ours → PEFT's."""

    def __call__(self, method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
        """A method that is attached to a backbone.

        Raises:
            UserError: PEFT has nothing that is equal; the text says why.
        """


class Importer(Protocol):
    """PEFT's → ours."""

    def __call__(
        self, settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
    ) -> ReadAdapter:
        """An adapter that was opened.

        Raises:
            UserError: It does not fit this backbone, or we have nothing that is equal.
        """
