"""The methods: this folder is the registry, a file each. Nothing here imports torch.

A folder that is added to this package's `__path__` belongs to the registry too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..registry import import_member, member_files

if TYPE_CHECKING:
    from .base import Method


def files() -> Mapping[str, Path]:
    """Every method's file by its name: all but the base and those beginning with `_`."""
    return member_files(__path__)


def names() -> tuple[str, ...]:
    """Every method."""
    return tuple(files())


def get_method(name: str) -> type[Method]:
    """A method's class by name; `get_method("lora")(rank=8)` is a Lightning callback.

    Raises:
        UnknownName: Where no file has this name.
    """
    method: type[Method] = import_member(__name__, name, "METHOD", kind="method", known=names())
    return method
