"""One job after another in this process, in the plan's order: a row is done before the next."""

from __future__ import annotations

from collections.abc import Iterator

from ..jobs import Job, Record
from .base import Execute, Ready


class InProcess:
    """Runs the first ready job, again and again."""

    def run(self, ready: Ready, execute: Execute) -> Iterator[tuple[Job, Record]]:
        """Yield each job with its record until none is ready."""
        while (job := next(ready(), None)) is not None:
            yield job, execute(job)


EXECUTOR = InProcess
