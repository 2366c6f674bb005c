"""Objectives: what kind of answer a task wants. This folder is the registry, a file each.

Nothing here imports torch at import time, so that data and the command line can ask an objective
about labels and metrics before anything heavy is loaded. A folder that is appended to this
package's `__path__` belongs to the registry too.
"""

from __future__ import annotations

import functools

from ..registry import import_member, member_files
from .base import IDENTITY, Label, Objective, Question, Scale, Stratum

__all__ = [
    "IDENTITY",
    "Label",
    "Objective",
    "Question",
    "Scale",
    "Stratum",
    "get_objective",
    "names",
]


def names() -> tuple[str, ...]:
    """Every objective."""
    return tuple(member_files(__path__))


@functools.cache
def get_objective(name: str) -> Objective:
    """An objective by name, such as `get_objective("regression")`; always the same object.

    Raises:
        UnknownName: No file has this name.
    """
    made: Objective = import_member(__name__, name, "OBJECTIVE", kind="objective", known=names())()
    return made
