"""One job after another in this process, in the plan's order: a row is done before the next."""

from __future__ import annotations

from collections.abc import Iterator

from ..execution import Execution
from ..jobs import Job, Record
from .base import Ready


class InProcess:
    """Runs the first ready job, again and again."""

    def __init__(self, workers: int = 1) -> None:
        """There is one worker, this process, however many could be had."""

    def run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record]]:
        """Yield each job with its record until none is ready."""
        while (job := next(ready(), None)) is not None:
            yield job, execute(job)

    def close(self) -> None:
        """Nothing runs between two records."""


EXECUTOR = InProcess
