"""The executors: this folder is the registry, a file each. Nothing here imports torch.

A folder that is added to this package's `__path__` belongs to the registry too.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from ...config import Experiment
from ...errors import UnknownName, UserError
from .base import Executor

COMMON = {"base"}
EXTRAS = {"ray": "ray"}
"""Executor → the package that it needs, where an extra of the same name has to bring it."""


def names() -> tuple[str, ...]:
    """Every executor: the files of this folder, but for the protocol and those with a `_`."""
    stems = {path.stem for folder in __path__ for path in Path(folder).glob("*.py")}
    return tuple(sorted(stem for stem in stems - COMMON if not stem.startswith("_")))


def require_executor(name: str) -> None:
    """Refuse an executor that is not there, or whose package is not, before anything is loaded.

    Raises:
        UnknownName: No file has this name.
        UserError: A package is missing.
    """
    if name not in names():
        raise UnknownName("executor", name, names())
    package = EXTRAS.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        needed = f"pip install 'tunebench[{package}]'"
        raise UserError(f"{name} needs {package}, which is not here: {needed}")


def get_executor(name: str, experiment: Experiment | None = None) -> Executor:
    """An executor by the name of its file, which assigns to `EXECUTOR` what makes it.

    Args:
        name: One of `names()`.
        experiment: The settings of the run: how many workers, and where; none means the defaults.

    Raises:
        UnknownName: No file has this name.
        UserError: It cannot run here, or cannot be reached.
    """
    require_executor(name)
    module = importlib.import_module(f".{name}", __name__)
    executor: Executor = module.EXECUTOR(experiment or Experiment())
    return executor
