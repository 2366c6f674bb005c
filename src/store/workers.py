"""The processes that work in an output folder: who leads, who takes jobs, and who is gone.

    work/run.json           what is run, and who leads it: that process alone writes records
    work/workers/<runner>   a process that takes offers, and how many it runs at a time
    work/hosts/<host>       locked while a job runs on a host, so that what is timed runs by itself

Whoever has a file renews it; see `leases.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import writing
from .small_files import changed, names, read, remove, write
from .work_folder import WorkFolder

EXPIRY = 90.0
"""Seconds without renewal after which a process counts as lost. A network file system may show
another host's renewal a minute late."""


@dataclasses.dataclass(frozen=True)
class Process:
    """A process, known from all others on all hosts."""

    host: str
    pid: int
    place: str
    """The running system and its space of process ids; empty where that cannot be known."""
    started: str = ""
    """When it began, in the system's own counting: process ids are used again."""

    def __post_init__(self) -> None:
        """Refuse what was read from a file that is not ours.

        Raises:
            ValueError: A value has another type.
        """
        texts = (self.host, self.place, self.started)
        if not (all(isinstance(one, str) for one in texts) and is_number(self.pid)):
            raise ValueError(f"no process: {self.host!r}, {self.pid!r}")

    @classmethod
    def this(cls) -> Process:
        """The process that asks."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, place(), _started(pid))

    @property
    def is_dead(self) -> bool:
        """Whether it is known to have ended; of another host's processes nothing is known."""
        if not self.place or self.place != place():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return bool(self.started) and _started(self.pid) not in (self.started, "")

    def __str__(self) -> str:
        """As a reader meets it."""
        return f"process {self.pid} on {self.host}"


@dataclasses.dataclass(frozen=True)
class Worker:
    """A process that takes offers."""

    runner: str
    process: Process
    count: int
    """How many jobs it runs at a time."""
    since: float
    """When it came, by the file system's clock."""


class Workers(WorkFolder):
    """Who works in the folder `work` of an output folder."""

    FOLDERS = ("workers", "hosts")

    def join(self, runner: str, count: int) -> Worker:
        """Enter a process among those that take offers.

        Args:
            runner: What it calls itself, drawn at random.
            count: How many jobs it runs at a time.
        """
        worker = Worker(runner, Process.this(), count, self.now())
        write(self.file(runner), json.dumps(dataclasses.asdict(worker)))
        with writing(self.file(runner)):
            self._touch(self.file(runner))
        return worker

    def file(self, runner: str) -> Path:
        """The file that a worker renews."""
        return self.folder / "workers" / runner

    def leave(self, runner: str) -> None:
        """Take a process out again."""
        remove(self.file(runner))

    def names(self) -> list[str]:
        """What the processes that take offers call themselves."""
        return names(self.folder / "workers")

    def worker(self, runner: str) -> Worker | None:
        """A process that takes offers; none where it is gone, or its file is not ours."""
        try:
            content = json.loads(read(self.file(runner)))
            worker = Worker(process=Process(**content.pop("process")), **content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        sound = worker.runner == runner and is_number(worker.count) and is_number(worker.since)
        return worker if sound else None

    def renewed(self, runner: str) -> float | None:
        """When a process that takes offers renewed its file; none where it is gone."""
        return changed(self.file(runner))

    def there(self) -> list[Worker]:
        """The processes that take offers; those whose files are not ours are left out."""
        known = map(self.worker, self.names())
        return [worker for worker in known if worker is not None]

    def lead(self, run: Mapping[str, Any]) -> None:
        """Write what is run, and that this process leads it.

        Args:
            run: Plain data, without passwords.
        """
        beside = self.folder / f".run.{secrets.token_hex(8)}"
        write(beside, json.dumps({**run, "process": dataclasses.asdict(Process.this())}))
        with writing(self.run_file):
            self._touch(beside)
            os.replace(beside, self.run_file)

    @property
    def run_file(self) -> Path:
        """The file that the leader renews."""
        return self.folder / "run.json"

    def run(self) -> tuple[Mapping[str, Any], Process] | None:
        """What is run, and who leads it or did so last; none where nothing is."""
        try:
            content = json.loads(read(self.run_file))
            return content, Process(**content["process"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def end(self) -> None:
        """Nothing is run any more: those who work here end."""
        remove(self.run_file)

    def is_gone(self, path: Path, process: Process, now: float) -> bool:
        """Whether a process that renews a file has ended, or has not renewed it for too long.

        Args:
            path: The file.
            process: Who has it.
            now: The file system's time.
        """
        if process.is_dead:
            return True
        renewed = changed(path)
        return renewed is None or now - renewed > EXPIRY

    @contextlib.contextmanager
    def on_this_host(self, *, exclusive: bool) -> Iterator[None]:
        """Run beside others, once no job is timed on this host; or time one when no other runs.

        Args:
            exclusive: Whether the job is timed.
        """
        name = hashlib.sha256((place() or socket.gethostname()).encode()).hexdigest()[:16]
        path = self.folder / "hosts" / name
        with contextlib.ExitStack() as held:
            with writing(path):
                file = held.enter_context(path.open("a+"))
                fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield


@functools.cache
def place() -> str:
    """The running system and its space of process ids; empty where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began; empty where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        return text.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_number(value: object) -> bool:
    """Whether a value that was read is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
