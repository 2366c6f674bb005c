"""The executors: this folder is the registry, a file each. Nothing here imports torch.

A folder that is added to this package's `__path__` belongs to the registry too.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...config import Experiment
from ...errors import Place, UnknownName, UserError
from . import _ray_settings
from .base import Executor

COMMON = {"base"}


@dataclass(frozen=True)
class Needs:
    """What an executor asks beyond its file; one that needs nothing has no entry in `NEEDS`."""

    package: str
    """Brought by an extra of the same name."""
    settings: tuple[str, ...]
    """Settings of a run that are for it alone."""
    check_settings: Callable[[Experiment, Place], None]
    """Refuses values of theirs."""
    check_reachable: Callable[[Experiment], None]
    """Refuses a run that it cannot reach the place of, before torch is imported."""


NEEDS: Mapping[str, Needs] = {
    "ray": Needs(
        "ray", ("address", "gpus"), _ray_settings.check_settings, _ray_settings.check_reachable
    )
}


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
    needs = NEEDS.get(name)
    if needs is not None and importlib.util.find_spec(needs.package) is None:
        wanted = f"pip install 'tunebench[{needs.package}]'"
        raise UserError(f"{name} needs {needs.package}, which is not here: {wanted}")


def check_settings(experiment: Experiment, place: Place = ".".join) -> None:
    """Refuse an executor that is not here, and settings of one that was not asked for.

    Args:
        experiment: The settings of the run.
        place: Names a setting as the user wrote it.

    Raises:
        UserError: It is not, or they are.
    """
    if experiment.executor is not None:
        try:
            require_executor(experiment.executor)
        except UserError as error:
            raise UserError(f"{place(('executor',))}: {error}") from None
    for name, needs in NEEDS.items():
        if experiment.executor == name:
            needs.check_settings(experiment, place)
            continue
        for setting in needs.settings:
            if getattr(experiment, setting) is not None:
                raise UserError(f"{place((setting,))}: goes with {place(('executor',))} {name}")


def check_reachable(experiment: Experiment) -> None:
    """Ask whether the place answers where the run's executor trains, before torch is imported.

    Raises:
        UserError: It does not.
    """
    if (needs := NEEDS.get(experiment.executor or "")) is not None:
        needs.check_reachable(experiment)


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
