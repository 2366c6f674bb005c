"""What the files of this folder share: an adapter of another library in our words, and back."""

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


def method_of(name: str, **settings: Any) -> Method:
    """A method by its name, with these settings."""
    return get_method(name)(**settings)


@dataclass(frozen=True)
class Exported:
    """A method of ours as another library's files hold it."""

    settings: Mapping[str, Any]
    """What goes into `adapter_config.json`."""
    tensors: Mapping[str, Tensor]
    """By the names of the other library."""
    notes: tuple[str, ...] = ()
    """What a user should know of the files."""


@dataclass(frozen=True)
class ReadAdapter:
    """What another library's files held, as a method of ours and its weights."""

    method: Method
    weights: Mapping[str, Tensor]
    """By our names in the backbone."""
    notes: tuple[str, ...] = ()
    """What a user should know of the adapter."""
    untouched: tuple[str, ...] = ()
    """Paths of modules that the method adapts and the file does not: they keep their start, which
    changes nothing."""


@dataclass(frozen=True)
class Imported:
    """What a folder held, attached to a backbone."""

    method: Method
    head: Head | None
    """The classification head, where the folder has one that is a linear map."""
    notes: tuple[str, ...]
    """What a user should know of it."""


def attach(adapter: ReadAdapter, backbone: Backbone) -> tuple[str, ...]:
    """Attach what was read to a fresh backbone, with its weights.

    Returns:
        What a user should know of it.
    """
    # A start is drawn at random where the file has no weights: the same file, the same draw.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        adapter.method.attach(backbone, restored=True)
    parameters = trained(backbone)
    at_start = {
        name for name in parameters if name.rpartition(".")[0] in frozenset(adapter.untouched)
    }
    filled = parameters.keys() - at_start
    assert filled == adapter.weights.keys(), filled ^ adapter.weights.keys()
    with torch.no_grad():
        for name in filled:
            parameters[name].copy_(adapter.weights[name])
    if not adapter.untouched:
        return adapter.notes
    count = len(adapter.untouched) + len({name.rpartition(".")[0] for name in filled})
    return (
        *adapter.notes,
        f"{len(adapter.untouched)} of {count} linear maps have no adapter in the file: here they "
        "begin without a change, and would train with the others",
    )


class Exporter(Protocol):
    """How one of our methods becomes PEFT's settings and tensors."""

    def __call__(self, method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
        """Read the weights of an attached method.

        Args:
            method: What is attached.
            backbone: What it is attached to.
            names: PEFT's names of the backbone's modules.
            root: Where the network stands in the model of the task, such as `bert.`.

        Raises:
            UserError: PEFT has nothing that is equal; the text says why.
        """


class Importer(Protocol):
    """How one of PEFT's types becomes a method of ours and its weights."""

    def __call__(
        self, settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
    ) -> ReadAdapter:
        """Read an opened folder; every tensor that belongs to the adapter is asked for.

        Raises:
            UserError: It does not fit this backbone, or we have nothing that is equal.
        """
