"""The executors: this folder is the registry, a file each. Nothing here imports torch.

A folder that is added to this package's `__path__` belongs to the registry too.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from ...errors import UnknownName
from .base import Executor

COMMON = {"base"}


def names() -> tuple[str, ...]:
    """Every executor: the files of this folder, but for the protocol and those with a `_`."""
    stems = {path.stem for folder in __path__ for path in Path(folder).glob("*.py")}
    return tuple(sorted(stem for stem in stems - COMMON if not stem.startswith("_")))


def get_executor(name: str, workers: int = 1) -> Executor:
    """An executor by the name of its file, which assigns its class to `EXECUTOR`.

    Args:
        name: One of `names()`.
        workers: How many jobs it may run at a time.

    Raises:
        UnknownName: No file has this name.
    """
    if name not in names():
        raise UnknownName("executor", name, names())
    executor: Executor = importlib.import_module(f".{name}", __name__).EXECUTOR(workers)
    return executor
