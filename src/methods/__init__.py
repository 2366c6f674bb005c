"""The methods: this folder is the registry, a file each. Nothing here imports torch.

A folder that is added to this package's `__path__` belongs to the registry too.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnknownName

if TYPE_CHECKING:
    from .base import Method

COMMON = {"base"}


def files() -> Mapping[str, Path]:
    """Every method's file by its name: all but the base and those beginning with `_`."""
    found = (path for folder in __path__ for path in Path(folder).glob("*.py"))
    single = {path.stem: path for path in found if not path.stem.startswith("_")}
    return {name: single[name] for name in sorted(single.keys() - COMMON)}


def names() -> tuple[str, ...]:
    """Every method."""
    return tuple(files())


def get_method(name: str) -> type[Method]:
    """A method's class by name; `get_method("lora")(rank=8)` is a Lightning callback.

    Raises:
        UnknownName: Where no file has this name.
    """
    if name not in names():
        raise UnknownName("method", name, names())
    found: type[Method] = importlib.import_module(f".{name}", __name__).METHOD
    return found
