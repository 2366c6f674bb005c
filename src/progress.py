"""What a long run tells whoever watches it: a terminal, a log, a test, nobody."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from .records import Result, Trial


@runtime_checkable
class Progress(Protocol):
    """What the runner reports, in this order, from one thread."""

    def plan(self, cells: Sequence[tuple[str, str, int]], done: Sequence[Result]) -> None:
        """All cells (task, method, seed) of the comparison, and those that are there already."""

    def note(self, text: str) -> None:
        """One line that the user should read, such as where the data came from."""

    def phase(self, task: str, method: str, what: str) -> None:
        """A cell's next phase begins, such as "trial 1 of 2" or "seed 0"."""

    def over(self, task: str, method: str, what: str) -> None:
        """A phase that began is over, well or not; several may run side by side."""

    def step(self, step: int, steps: int, loss: float) -> None:
        """The phase's optimizer step, out of how many, with its training loss."""

    def tried(self, task: str, method: str, trial: Trial) -> None:
        """A trial ended, well or not."""

    def finished(self, result: Result) -> None:
        """A cell ended, well or not."""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook: it has an IPython shell that serves a kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class Quiet:
    """Tells nobody; the default in scripts and tests."""

    def plan(self, cells: Sequence[tuple[str, str, int]], done: Sequence[Result]) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def phase(self, task: str, method: str, what: str) -> None:
        """Say nothing."""

    def over(self, task: str, method: str, what: str) -> None:
        """Say nothing."""

    def step(self, step: int, steps: int, loss: float) -> None:
        """Say nothing."""

    def tried(self, task: str, method: str, trial: Trial) -> None:
        """Say nothing."""

    def finished(self, result: Result) -> None:
        """Say nothing."""
