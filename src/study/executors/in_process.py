"""One job after another in this process, in the plan's order: a row is done before the next."""

from __future__ import annotations

from collections.abc import Iterator

from ...config import Experiment
from ..execution import Execution
from ..jobs import Job, Record
from .base import Ready


class InProcess:
    """Runs the first ready job, again and again."""

    workers = 1
    """This process, however many were asked for."""

    def __init__(self, experiment: Experiment | None = None) -> None:
        """No setting changes it."""

    def run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record]]:
        """Yield each job with its record until none is ready."""
        while (job := next(ready(), None)) is not None:
            yield job, execute(job)

    def close(self) -> None:
        """Nothing runs between two records."""


EXECUTOR = InProcess
