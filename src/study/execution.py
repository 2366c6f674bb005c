"""`Execution`: what runs jobs in one process, and can be made again in another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Experiment
from ..data.tasks import TaskData
from ..progress import Progress, Quiet
from ..store.store import Store
from .jobs import Job, Record, execute

if TYPE_CHECKING:
    from .prepare_run import PreparedRun


@dataclasses.dataclass(frozen=True)
class Execution:
    """Runs jobs on what a run has prepared: backbone, tokens, settings.

    A forked process has it as it is and shares its memory. Pickled, it is the experiment and its
    data alone, and the process that reads it prepares them anew.
    """

    run: PreparedRun
    data: Sequence[TaskData]
    """The tasks that the run was prepared from."""

    def __call__(self, job: Job) -> Record:
        """Run one job; see `jobs.execute`."""
        return execute(job, self.run)

    def beside_others(self, progress: Progress) -> Execution:
        """For a process that is one of several on this machine.

        Latency is then left to jobs that have the machine to themselves.

        Args:
            progress: Hears what happens there.
        """
        context = dataclasses.replace(self.run.context, progress=progress, measures_latency=False)
        return dataclasses.replace(self, run=dataclasses.replace(self.run, context=context))

    def lost(self, job: Job, reason: str) -> Record:
        """The record of a job whose processes are gone; the next start tries it again."""
        if job.kind == "baselines":
            self.run.context.progress.note(f"{job.task}: no untrained rows, since {reason}")
            return ()
        from .attempt import lost

        return lost(job, self.run, reason)

    @property
    def experiment(self) -> Experiment:
        """The settings of the run."""
        return self.run.context.experiment

    @property
    def can_be_forked(self) -> bool:
        """Whether a forked process can go on with it.

        OpenMP's threads and a GPU's context do not survive a fork: what computes with several
        threads, or on a GPU, starts in a fresh process.
        """
        on_cpu = self.run.context.base_model.embedding.weight.device.type == "cpu"
        return on_cpu and self.experiment.train.threads == 1

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Settings and data, from which another process prepares the same."""
        return _prepared_again, (self.experiment, tuple(self.data))


def _prepared_again(experiment: Experiment, data: Sequence[TaskData]) -> Execution:
    from .prepare_run import prepare_run

    run = prepare_run(experiment, Store(Path(experiment.out)), Quiet(), data=data)
    return Execution(run, data)
