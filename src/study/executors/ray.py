"""Jobs as tasks on a Ray cluster: one process here leads, nodes train.

This process takes each job's lease, sends the job, and writes down what comes back, so that a node
needs neither the output folder nor anything of the run but what it is sent (`study/remote.py`).
What is timed, and the rows that need no training, run here: they need the store, and latencies
must be of one machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from ...config import Experiment
from ...errors import UserError
from ...progress import Progress
from ...store.leases import RENEWAL, Lease
from ...text import plural
from ..attempt import phase_of
from ..execution import Execution
from ..jobs import Elsewhere, Job, Record
from ..remote import Returned, Setup, kept_of, unpack
from ._cluster import Cluster, Lost
from ._ray_settings import address_of
from .base import LOOKS_APART, STEP, Ready

ATTEMPTS = 4
"""So many nodes or processes may be lost over one job before it counts as failed: nodes that cost
less are taken away now and then."""
COUNTS_APART = 5.0
"""Seconds between two looks at which nodes there are."""


@dataclasses.dataclass(eq=False)
class Task:
    """A job that a node runs, or that waits for one."""

    job: Job
    lease: Lease | None
    phase: tuple[str, str, str]
    """The job as a reader sees it."""
    lost: int = 0
    """How many nodes or processes were lost over it."""


class Ray:
    """Gives the cluster as many ready jobs as its nodes can run, in the plan's order."""

    def __init__(self, experiment: Experiment, cluster: Cluster | None = None) -> None:
        """Import and start nothing of Ray yet.

        Args:
            experiment: The settings of the run.
            cluster: The cluster; none means the one that the settings name.
        """
        self._cluster = cluster or Cluster(address_of(experiment))
        self._asked_for = experiment.workers
        self._tasks: dict[Any, Task] = {}
        self._execute: Execution | None = None
        self._capacity, self._next_count, self._next_renewal = 1, 0.0, 0.0
        self._stopping = False

    @property
    def workers(self) -> int:
        """As many jobs as were asked for, else as the nodes can run; one waits for a first node."""
        return self._asked_for or max(1, self._capacity)

    def run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record] | None]:
        """Yield each job with its record as it comes back."""
        try:
            yield from self._run(ready, execute)
        except KeyboardInterrupt:
            # The nodes finish their steps while the one that asked us writes its report.
            self._interrupt()
            raise

    def _run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record] | None]:
        done: set[str] = set()
        while True:
            for job in self._submit(ready, execute, done):
                yield job, Elsewhere()
                done.discard(job.name)
            if not self._tasks:
                here = next((job for job in ready() if runs_here(job)), None)
                if here is None:
                    return
                yield here, execute(here)
                continue
            yield None
            self._renew(execute)
            for handle in self._cluster.wait(list(self._tasks), LOOKS_APART):
                job, record = self._ended(handle, execute)
                if record is None:
                    continue
                done.add(job.name)
                # Before the record is stored, which takes a while.
                missed = list(self._submit(ready, execute, done))
                yield job, record
                done.discard(job.name)
                for other in missed:
                    yield other, Elsewhere()
                    done.discard(other.name)

    def close(self) -> None:
        """Call all jobs back, keep what they bring of their trainings, and leave the cluster.

        A second Ctrl-C leaves at once.
        """
        try:
            self._interrupt()
            deadline = time.monotonic() + STEP
            while self._tasks and (left := deadline - time.monotonic()) > 0:
                for handle in self._cluster.wait(list(self._tasks), left):
                    task = self._tasks.pop(handle)
                    with contextlib.suppress(UserError):
                        outcome = self._cluster.outcome(handle)
                        if isinstance(outcome, Returned):
                            self._keep(dataclasses.replace(outcome, record=None), task)
        finally:
            self._tasks.clear()
            self._cluster.close()

    def _submit(self, ready: Ready, execute: Execution, done: set[str]) -> Iterator[Job]:
        """Send jobs as long as there is room for them; gives those that another command has."""
        if self._execute is not None:
            self._count()
        taken = done | {task.job.name for task in self._tasks.values()}
        for job in ready():
            if len(self._tasks) >= self.workers:
                return
            if job.name in taken or runs_here(job):
                continue
            if self._execute is None:
                self._connect(execute)
            lease = None if execute.member is None else execute.member.take(job)
            if execute.member is not None and lease is None:
                done.add(job.name)
                yield job
                continue
            task = Task(job, lease, (job.task, job.method, phase_of(job, execute.run)))
            self._progress.phase(*task.phase)
            self._send(task)

    def _send(self, task: Task) -> None:
        assert self._execute is not None
        kept = kept_of(task.job, self._execute.run.context.store)
        self._tasks[self._cluster.submit(task.job, kept)] = task

    def _connect(self, execute: Execution) -> None:
        setup = Setup.of(execute)
        wanted = setup.experiment.gpus
        gpus = float(execute.is_on_gpu) if wanted is None else wanted
        self._cluster.connect(setup, cpus=setup.experiment.train.threads, gpus=gpus)
        self._execute = execute
        self._count()
        self._progress.note(f"Ray: room for {plural(self._capacity, 'job')} at a time")

    @property
    def _progress(self) -> Progress:
        assert self._execute is not None
        return self._execute.run.context.progress

    def _count(self) -> None:
        """See now and then how many jobs the nodes can run: some come, and some go."""
        if time.monotonic() >= self._next_count:
            self._next_count = time.monotonic() + COUNTS_APART
            before, self._capacity = self._capacity, self._cluster.capacity()
            if not self._capacity and before:
                self._progress.note("no node of the Ray cluster can run a job: waiting for one")

    def _renew(self, execute: Execution) -> None:
        """Say now and then that the jobs are at work."""
        if execute.member is not None and time.monotonic() >= self._next_renewal:
            self._next_renewal = time.monotonic() + RENEWAL
            leases = execute.member.leases
            for task in self._tasks.values():
                if task.lease is not None:
                    leases.renew(leases.path(task.lease.attempt))

    def _ended(self, handle: Any, execute: Execution) -> tuple[Job, Record | None]:
        """A job's record, its files written; none where another node takes the job over."""
        task = self._tasks.pop(handle)
        outcome = self._cluster.outcome(handle)
        if isinstance(outcome, Returned) and outcome.refused:
            raise UserError(f"Ray's node {outcome.host}: {outcome.refused}")
        if isinstance(outcome, Returned) and outcome.record is not None:
            self._keep(outcome, task)
            self._progress.over(*task.phase)
            return task.job, outcome.record
        if isinstance(outcome, Returned):
            self._keep(outcome, task)
            outcome = Lost("it was cancelled")
        task.lost += 1
        if task.lost < ATTEMPTS:
            self._progress.note(f"{task.job.what}: {outcome.reason}; another takes it over")
            self._send(task)
            return task.job, None
        self._progress.over(*task.phase)
        return task.job, execute.lost(task.job, f"{outcome.reason}, {plural(task.lost, 'time')}")

    def _keep(self, returned: Returned, task: Task) -> None:
        """Write what a node has brought back."""
        assert self._execute is not None
        member, out = self._execute.member, self._execute.run.context.store.out
        folder = out if member is None or task.lease is None else member.leases.made(task.lease)
        unpack(returned, task.job, self._execute, folder)

    def _interrupt(self) -> None:
        """Ask all jobs to come back, once."""
        if not self._stopping:
            self._stopping = True
            for handle in self._tasks:
                self._cluster.interrupt(handle)


def runs_here(job: Job) -> bool:
    """Whether a job needs the store, and the machine that the other latencies are of."""
    return job.exclusive or job.kind == "baselines"


EXECUTOR = Ray
