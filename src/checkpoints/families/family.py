"""What a family of checkpoints is: its settings in ours, and its tensors' names in ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...backbone.config import BackboneConfig


@dataclass(frozen=True)
class Part:
    """One of several equal parts of a tensor that holds them one after the other."""

    pattern: str
    number: int
    of: int


Names = Mapping[str, str | Part]
"""Our modules' names, `*` for the number of the block, to the names in its files."""


@dataclass(frozen=True)
class Family:
    """Checkpoints of one `model_type`."""

    configure: Callable[[Mapping[str, Any]], BackboneConfig]
    """Its config.json in ours.

    Raises:
        UserError: A setting that our network does not have.
        KeyError: A setting that must be there.
    """
    names: Names
    prefix: str = "model"
    """What may stand before all names but the language head's, as `prefix.`."""
    transposed: bool = False
    """Whether linear maps in blocks lie (in out), as GPT-2's Conv1D keeps them."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of some of its tensors."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What transformers takes for settings that a config.json does not have."""
    fresh: bool = False
    """Whether a folder without weight files is a backbone to train from scratch."""


def counterpart(name: str, names: Names) -> tuple[str, Part | None]:
    """A family's name of the tensor that holds one of ours, and which part of it ours is."""
    module, _, leaf = name.rpartition(".")
    parts = module.split(".")
    number = next((part for part in parts if part.isdigit()), "")
    name_or_part = names[".".join("*" if part.isdigit() else part for part in parts)]
    pattern = name_or_part.pattern if isinstance(name_or_part, Part) else name_or_part
    part = name_or_part if isinstance(name_or_part, Part) else None
    return f"{pattern.replace('*', number)}.{leaf}", part


def source_name(name: str, names: Names) -> str:
    """A family's name of one of our tensors: "blocks.3.attn.q.weight" → its counterpart."""
    return counterpart(name, names)[0]
