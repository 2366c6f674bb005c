"""What Ray is asked for, and nothing else asks it: nodes, tasks, what became of them."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...text import one_line
from ..jobs import Job
from ..remote import FileBytes, Returned, Setup, run_there
from ._ray_settings import AUTO, HERE

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}
"""Ray reports no usage, and prints no pages about a lost node: what of it a user should read is one
line of ours, and standard output may be JSON."""


@dataclass(frozen=True)
class Lost:
    """In the place of what a node returns: the node is gone, or the process there."""

    reason: str


class Cluster:
    """A Ray cluster, and this run's tasks on it. Before `connect` nothing of Ray is imported."""

    def __init__(self, address: str | None) -> None:
        """Start nothing yet.

        Args:
            address: `HOST:PORT` of its head, `auto` or `local`; none takes what there is.
        """
        self._address = address
        self._ray: Any = None
        self._ours = False
        self._share: tuple[float, float] = (1.0, 0.0)
        self._arguments: tuple[Any, ...] = ()
        self._task: Any = None

    def connect(self, setup: Setup, *, cpus: float, gpus: float) -> None:
        """Join the cluster, or start one of this machine's cores, and send what all jobs need.

        Args:
            setup: What is sent to each process once.
            cpus: Cores of each job.
            gpus: GPUs of each job.

        Raises:
            UserError: The cluster cannot be joined.
        """
        os.environ.update(QUIET)
        import ray

        self._ray, self._share = ray, (cpus, gpus)
        if not ray.is_initialized():
            with _sigterm_kept():
                self._join(self._address)
            self._ours = True
        # In a list, since Ray would put the content in the place of the reference itself.
        self._arguments = (secrets.token_hex(8), [ray.put(setup)])
        # Retries are counted here: Ray's own are endless where memory is short.
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_run)

    def _join(self, address: str | None) -> None:
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address == HERE:
            settings["include_dashboard"] = False
        try:
            self._ray.init(address=address or AUTO, **settings)
        except (ConnectionError, RuntimeError, ValueError) as error:
            if address is None and isinstance(error, ConnectionError):
                self._join(HERE)
                return
            raise UserError(f"the Ray cluster cannot be joined: {_first_line(error)}") from error

    def capacity(self) -> int:
        """How many jobs the nodes that are there can run at a time."""
        nodes = self._ray.nodes()
        return sum(capacity_of(node["Resources"], *self._share) for node in nodes if node["Alive"])

    def submit(self, job: Job, kept: FileBytes | None) -> Any:
        """Have a job run on some node.

        Args:
            job: Its settings filled in.
            kept: What is kept of its training.

        Returns:
            A handle, for the other methods.
        """
        return self._task.remote(*self._arguments, job, kept)

    def wait(self, handles: Sequence[Any], seconds: float) -> list[Any]:
        """The handles of jobs that have ended, or were lost, as soon as there is one."""
        ready, _ = self._ray.wait(list(handles), timeout=seconds)
        return list(ready)

    def outcome(self, handle: Any) -> Returned | Lost:
        """What became of a job that has ended.

        Raises:
            UserError: The node cannot run any.
        """
        errors = self._ray.exceptions
        try:
            returned: Returned = self._ray.get(handle)
        except errors.TaskCancelledError:
            return Returned("")
        except errors.RayTaskError as error:
            reason = _first_line(error.cause)
            raise UserError(f"a node of the Ray cluster cannot run jobs: {reason}") from error
        except errors.OutOfMemoryError:
            return Lost("its node had no memory left")
        except (errors.NodeDiedError, errors.ObjectLostError):
            return Lost("its node was lost")
        except errors.RayError as error:
            return Lost(f"its process was lost ({type(error).__name__})")
        return returned

    def interrupt(self, handle: Any) -> None:
        """Ask a job to finish its step and to come back, as Ctrl-C does; one that waits is gone."""
        self._ray.cancel(handle, force=False)

    def close(self) -> None:
        """Leave the cluster; one that was started for this run ends."""
        if self._ours:
            self._ours = False
            self._ray.shutdown()


def _run(run: str, setup: Sequence[Any], job: Job, kept: FileBytes | None) -> Returned:
    """The task: what runs on a node."""
    import ray

    return run_there(run, lambda: ray.get(setup[0]), job, kept)


def capacity_of(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """How many jobs a node can run at a time; a part of a GPU is never two GPUs' parts."""
    places = int(resources.get("CPU", 0.0) / cpus)
    if gpus:
        devices = resources.get("GPU", 0.0)
        share = int(1 / gpus + 1e-9)
        places = min(places, int(devices) * share if share else int(devices / gpus))
    return places


def _first_line(error: BaseException | None) -> str:
    text = str(error).strip() or type(error).__name__
    return one_line(text.splitlines()[0])[:200]


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it is started; who received it before does so again."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
