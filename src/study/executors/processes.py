"""Several jobs at a time, each in a process of its own on this machine.

Two processes with one thread each train faster than one with two threads: there is more than one
training to do, and trainings wait for nothing in each other. The processes are forked from this one
where that is sound, so that the backbone and the tokens are in memory once; see
`Execution.can_be_forked`.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess

import torch

from ...config import Experiment
from ...errors import UserError
from ...files import close_inherited_locks
from ...progress import Progress, Quiet
from ...text import one_line, plural
from ..execution import Execution
from ..jobs import Job, Record
from ..prepare_run import use_threads, workers_of
from .base import ATTEMPTS, LOOKS_APART, STEP, Ready

STEPS_APART = 0.2
"""Seconds between two messages about optimizer steps: more than a view can show is not sent."""
PATIENCE = 5.0
"""Seconds that a process has to end by itself when it is asked to."""


@dataclasses.dataclass(eq=False)
class Worker:
    """A process, and how to speak with it."""

    process: BaseProcess
    connection: Connection
    job: Job | None = None
    """What it runs now."""


class Processes:
    """Gives every ready job to the next process that is free, in the plan's order."""

    def __init__(self, workers: int) -> None:
        """Start nothing yet.

        Args:
            workers: How many jobs run at a time.
        """
        self._count = workers
        self._workers: list[Worker] = []
        self._lost: dict[str, int] = {}
        self._newest: Worker | None = None
        self._asked = False
        self._progress: Progress = Quiet()

    @classmethod
    def of(cls, experiment: Experiment) -> Processes:
        """As many as an experiment asks for."""
        return cls(workers_of(experiment))

    @property
    def workers(self) -> int:
        """How many jobs run at a time."""
        return self._count

    def run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record] | None]:
        """Yield each job with its record as it ends."""
        try:
            yield from self._run(ready, execute)
        except KeyboardInterrupt:
            # They finish their steps while the one that asked us writes its report.
            self._ask_to_stop()
            raise

    def _run(self, ready: Ready, execute: Execution) -> Iterator[tuple[Job, Record] | None]:
        while len(self._workers) < self._count:
            self._workers.append(self._started(execute, len(self._workers)))
        self._progress = execute.run.context.progress
        done: set[str] = set()
        while True:
            self._submit(ready, done)
            running = [worker for worker in self._workers if worker.job is not None]
            if not running:
                return
            yield None
            for worker in self._with_messages(running):
                job = worker.job
                assert job is not None
                record = self._record(worker, execute)
                if record is None:
                    continue
                worker.job = None
                done.add(job.name)
                self._submit(ready, done)  # before the record is stored, which takes a while
                yield job, record
                done.discard(job.name)

    def close(self) -> None:
        """End all processes: those that train finish their step and keep what they have.

        A second Ctrl-C ends them at once.
        """
        try:
            self._ask_to_stop()
            self._listen_to_the_last(time.monotonic() + STEP)
        finally:
            for worker in self._workers:
                # A process that waits for a job ends when nobody can give it one.
                worker.connection.close()
            deadline = time.monotonic() + PATIENCE
            for worker in self._workers:
                worker.process.join(
                    max(0.0, deadline - time.monotonic()) if worker.job is None else 0
                )
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()
            self._workers = []

    def _ask_to_stop(self) -> None:
        """Ask the processes that run a job to stop, once."""
        if not self._asked:
            self._asked = True
            for worker in self._workers:
                if worker.job is not None:
                    worker.process.terminate()

    def _listen_to_the_last(self, until: float) -> None:
        """Pass on what processes have to say, until they have ended or the time is over.

        They would wait for ever to say it where nobody listens. Records that come now are of no
        use.
        """
        speaking = {w.connection: w for w in self._workers if w.job is not None}
        while speaking and (left := until - time.monotonic()) > 0:
            for connection in wait(list(speaking), left):
                assert isinstance(connection, Connection)
                try:
                    kind, *content = connection.recv()
                except (EOFError, OSError):
                    speaking.pop(connection).job = None
                    continue
                if kind == "note":
                    self._progress.note(*content)
                elif kind in ("record", "refused"):
                    speaking.pop(connection).job = None

    def _submit(self, ready: Ready, done: set[str]) -> None:
        """Give jobs to free processes; one that has to be alone waits until no other runs."""
        while (free := next((w for w in self._workers if w.job is None), None)) is not None:
            running = [worker.job for worker in self._workers if worker.job is not None]
            if any(job.exclusive for job in running):
                return
            taken = done | {job.name for job in running}
            job = first = None
            for one in ready():
                if one.name not in taken:
                    first = first or one
                    if not one.exclusive:
                        job = one
                        break
            if job is None:
                job = first
                if job is None or running:
                    return
            free.job = job
            with contextlib.suppress(OSError):  # lost: found out when it is listened to
                free.connection.send(job)

    def _with_messages(self, running: Sequence[Worker]) -> list[Worker]:
        """The processes that have something to say, or have ended."""
        by_connection = {worker.connection: worker for worker in running}
        return [by_connection[one] for one in wait(list(by_connection), LOOKS_APART)]  # type: ignore[index]

    def _record(self, worker: Worker, execute: Execution) -> Record | None:
        """What a process says: a record, or progress, which is passed on; none of the latter.

        Raises:
            UserError: It cannot run jobs, and another one here could not either.
        """
        job, progress = worker.job, execute.run.context.progress
        assert job is not None
        try:
            kind, *content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(PATIENCE)
            return self._replaced(worker, execute, job)
        if kind == "record":
            record: Record = content[0]
            return record
        if kind == "refused":
            worker.job = None
            raise UserError(content[0])
        if kind == "phase":
            self._newest = worker
        if kind != "step" or worker is self._newest:  # one bar is drawn, that of what began last
            getattr(progress, kind)(*content)
        return None

    def _replaced(self, worker: Worker, execute: Execution, job: Job) -> Record | None:
        """A process was lost: another takes its place and its job, unless that loses them all."""
        self._lost[job.name] = self._lost.get(job.name, 0) + 1
        code = worker.process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        reason = f"the process that ran it ended {how}"
        worker.connection.close()
        number = self._workers.index(worker)
        again = self._lost[job.name] < ATTEMPTS
        self._workers[number] = fresh = self._started(execute, number)
        if again:
            execute.run.context.progress.note(
                f"{job.task} {job.method}: {reason}; another process takes it over"
            )
            fresh.job = job
            fresh.connection.send(job)
            return None
        worker.job = None
        fresh.job = None
        times = plural(self._lost[job.name], "time")
        return execute.lost(job, f"{reason}, {times}")

    def _started(self, execute: Execution, number: int) -> Worker:
        """A process that waits for jobs."""
        fork = execute.can_be_forked and sys.platform == "linux"
        devices = execute.experiment.train.devices
        context: ForkContext | SpawnContext
        context = get_context("fork") if fork else get_context("spawn")
        parent_end, child_end = context.Pipe()
        others = [worker.connection for worker in self._workers] if fork else []
        process = context.Process(
            target=worker_main,
            args=(execute, child_end, [parent_end, *others]) if fork else (execute, child_end, []),
            name=f"tunebench worker {number + 1}",
            daemon=devices == 1,  # a daemon may not start the processes of a training
        )
        with _gpus_of(number, devices, enabled=not fork):
            process.start()
        child_end.close()
        return Worker(process, parent_end)


@contextlib.contextmanager
def _gpus_of(number: int, devices: int, *, enabled: bool) -> Iterator[None]:
    """A process that is started meanwhile sees the GPUs of its trainings, of those seen here."""
    count = torch.cuda.device_count() if enabled else 0
    if count < 2:
        yield
        return
    name = "CUDA_VISIBLE_DEVICES"
    before = os.environ.get(name)
    visible = before.split(",") if before else [str(device) for device in range(count)]
    shown = (visible[(number * devices + place) % len(visible)] for place in range(devices))
    os.environ[name] = ",".join(shown)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def worker_main(execute: Execution, connection: Connection, others: Sequence[Connection]) -> None:
    """Run jobs until nobody gives one; the main function of a worker process.

    Args:
        execute: Runs a job.
        connection: Brings jobs, and takes messages: a record, or a call of `Progress`.
        others: Ends of pipes that a fork has copied: open here, they would hide that the
            process at their other end is gone.
    """
    for one in others:
        one.close()
    close_inherited_locks()
    # Ctrl-C reaches all processes of a terminal; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Outside of a training SIGTERM ends this process at once; in one, after the step (`Stops`).
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    use_threads(execute.experiment)
    execute = execute.beside_others(RemoteProgress(connection))
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            job: Job = connection.recv()
            connection.send(_answer(execute, job))


def _answer(execute: Execution, job: Job) -> tuple[str, Record | str]:
    """A job's record, or why none can be made here: the folder cannot be written to, say."""
    try:
        return "record", execute(job)
    except (UserError, OSError) as error:
        return "refused", one_line(str(error))


def die_with_parent() -> None:
    """Ask the system to end this process when the one that started it ends, however it does."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class RemoteProgress(Quiet):
    """Progress that another process shows; what only that one knows stays there."""

    def __init__(self, connection: Connection) -> None:
        """Messages go through the connection."""
        self._connection = connection
        self._last = 0.0

    def note(self, text: str) -> None:
        """One line that the user should read."""
        self._connection.send(("note", text))

    def phase(self, task: str, method: str, what: str) -> None:
        """A job begins."""
        self._connection.send(("phase", task, method, what))

    def over(self, task: str, method: str, what: str) -> None:
        """A job has ended."""
        self._connection.send(("over", task, method, what))

    def step(self, step: int, steps: int, loss: float) -> None:
        """A step of it, some times a second."""
        now = time.monotonic()
        if now - self._last >= STEPS_APART:
            self._last = now
            self._connection.send(("step", step, steps, loss))


EXECUTOR = Processes.of
