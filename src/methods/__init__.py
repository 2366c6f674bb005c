"""The methods: this folder is the registry, a file each. Nothing here imports torch."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UnknownName

if TYPE_CHECKING:
    from .base import Method

COMMON = {"base"}


def names() -> tuple[str, ...]:
    """Every method: the files of this folder, but for the base and those beginning with `_`."""
    stems = {path.stem for path in Path(__file__).parent.glob("*.py")}
    return tuple(sorted(stem for stem in stems - COMMON if not stem.startswith("_")))


def get_method(name: str) -> type[Method]:
    """A method's class by name; `get_method("lora")(rank=8)` is a Lightning callback.

    Raises:
        UnknownName: Where no file has this name.
    """
    if name not in names():
        raise UnknownName("method", name, names())
    found: type[Method] = importlib.import_module(f".{name}", __name__).METHOD
    return found
