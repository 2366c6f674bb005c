"""What an executor is: it decides where and when ready jobs run, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from ..execution import Execution
from ..jobs import Job, Record

ATTEMPTS = 2
"""So many processes may be lost over one job before it counts as failed."""
STEP = 60.0
"""Seconds that a process has to finish an optimizer step and to keep its training."""
LOOKS_APART = 1.0
"""Seconds after which the runner may look at what others have done."""
Ready = Callable[[], Iterator[Job]]
"""Gives, in the plan's order, every job that could start now and has no record yet.

Asked again after a record was handed over, it also gives the jobs that waited for that record. A
job is given again and again until its record is there: an executor that runs several at a time
remembers by `Job.name` which it has started.
"""


@runtime_checkable
class Executor(Protocol):
    """Runs jobs somewhere: in this process, in others, on other machines.

    Which jobs are ready, the store, Optuna and MLflow are the runner's: an executor takes jobs and
    hands back records. A job is plain data that survives JSON and pickle, so it can travel; so can
    an `Execution`, which another process makes for itself from the same settings and data. A file
    of this folder assigns to `EXECUTOR` what makes one from the settings of a run.
    """

    @property
    def workers(self) -> int:
        """How many jobs it runs at a time, as far as is known by now."""
        ...

    def run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record] | None]:
        """Yield each job with its record, until no job is ready and none is running.

        None, in between, lets the runner look at what others have done: an executor that can
        wait gives it every second or so. The records may come in any order: the tables do not
        depend on it. The runner stores a record before it asks for the next one, and may close the
        iterator early; what is still running then is of no use to it. It runs several plans one
        after another, and one plan in several calls, with the same `execute`. Where that gives
        `Elsewhere`, another process has the job, and this is what is handed back. A job that
        `exclusive` is started while no other job runs, on this machine.
        """
        ...

    def close(self) -> None:
        """Stop whatever still runs; called once, when nothing more will be asked for."""
        ...
