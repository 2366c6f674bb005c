"""`Execution`: what runs jobs in one process, and can be made again in another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Experiment
from ..data.tasks import TaskData
from ..progress import Progress, Quiet
from ..records import Result
from ..store.leases import Lease
from ..store.store import Store
from .jobs import Elsewhere, Job, Record, execute
from .member import Member

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
    member: Member | None = None
    """How jobs are taken where several processes work in one folder; none takes each job."""

    def __call__(self, job: Job) -> Record:
        """Run one job, unless another process has it; see `jobs.execute`."""
        if self.member is None or job.kind == "baselines":
            return execute(job, self.run)
        with self.member.taken(job) as lease:
            return Elsewhere() if lease is None else self._run(job, lease, self.member)

    def _run(self, job: Job, lease: Lease, member: Member) -> Record:
        """Run a job under its lease; a cell's files go where nobody reads them yet."""
        if job.exclusive:
            return execute(job, self.run)
        context = self.run.context
        staged = StagedStore(member.leases.made(lease), context.store)
        timed = context.measures_latency and not member.has_neighbours
        context = dataclasses.replace(context, store=staged, measures_latency=timed)
        record = execute(job, dataclasses.replace(self.run, context=context))
        if timed and isinstance(record, Result) and member.has_neighbours:
            # One that came meanwhile: the cell is timed again when nothing else runs, and nobody
            # can tell its energy from the other's.
            cost = dataclasses.replace(record.cost, joules={})
            record = dataclasses.replace(record, latency=(), latency_ms=None, cost=cost)
        return record

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
        on_cpu = self._device_type == "cpu"
        return on_cpu and self.experiment.train.threads == 1

    @property
    def is_on_gpu(self) -> bool:
        """Whether a job computes on a GPU here."""
        return self._device_type == "cuda"

    @property
    def _device_type(self) -> str:
        return self.run.context.base_model.embedding.weight.device.type

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Settings and data, from which another process prepares the same."""
        return _prepared_again, (self.experiment, tuple(self.data), self.member)


def _prepared_again(
    experiment: Experiment, data: Sequence[TaskData], member: Member | None
) -> Execution:
    from .prepare_run import prepare_run

    run = prepare_run(experiment, Store(Path(experiment.out)), Quiet(), data=data)
    return Execution(run, data, member)


class StagedStore(Store):
    """Where a job writes its files; what it reads is in the store that they go to in the end."""

    def __init__(self, folder: Path, store: Store) -> None:
        """Nothing is made before something is written.

        Args:
            folder: What takes the files.
            store: The records.
        """
        super().__init__(folder)
        self.store = store

    def unfinished_path(self, record: str) -> Path:
        """Where a training is kept while it runs: who takes it over goes on from there."""
        return self.store.unfinished_path(record)

    def unfinished(self) -> tuple[str, ...]:
        """The records of which a training is kept."""
        return self.store.unfinished()

    def drop_unfinished(self, record: str) -> None:
        """Remove what is kept of a training."""
        self.store.drop_unfinished(record)
