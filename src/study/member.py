"""How a process takes jobs in an output folder that others work in too."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import CannotWrite
from ..files import keeping_first_error
from ..store.leases import RENEWAL, Attempt, Lease, Leases, key_of
from ..store.workers import Workers, place
from .jobs import Job


@dataclasses.dataclass(frozen=True)
class Member:
    """One command that runs jobs of a folder, with all of its worker processes."""

    out: Path
    leads: bool
    """Whether it is the one that writes records; otherwise it takes what that one offers."""
    runner: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))
    """What it calls itself."""

    @property
    def leases(self) -> Leases:
        """The jobs of the folder."""
        return Leases(self.out)

    @property
    def workers(self) -> Workers:
        """The processes of the folder."""
        return Workers(self.out)

    @property
    def file(self) -> Path:
        """The file that says that this command is at work."""
        return self.workers.run_file if self.leads else self.workers.file(self.runner)

    @property
    def has_neighbours(self) -> bool:
        """Whether others take jobs on this host."""
        here = place()
        there = self.workers.there()
        return any(one.runner != self.runner and one.process.place == here for one in there)

    def lease_of(self, job: Job) -> Lease | None:
        """Under which one of its processes runs a job, or ran it; none where it is lost."""
        lease = self.leases.lease(attempt_of(job))
        return lease if lease is not None and lease.runner == self.runner else None

    def take(self, job: Job) -> Lease | None:
        """Take a job, also from a lost process of the same command; none where another has it."""
        attempt = attempt_of(job)
        lease = self.leases.claim(attempt, self.runner, job.what)
        if lease is None and self.lease_of(job) is not None:
            self.leases.release(attempt)
            lease = self.leases.claim(attempt, self.runner, job.what)
        return lease

    @contextlib.contextmanager
    def taken(self, job: Job) -> Iterator[Lease | None]:
        """Hold a job while it runs; gives none where another process has it.

        After an error it is let go, and its files go with it.
        """
        lease = self.take(job)
        if lease is None:
            yield None
            return
        try:
            with (
                self._renewed(lease),
                self.workers.on_this_host(exclusive=job.exclusive),
            ):
                yield lease
        except BaseException:
            with keeping_first_error():
                self.leases.release(lease.attempt)
                self.leases.discard(lease)
            raise

    @contextlib.contextmanager
    def _renewed(self, lease: Lease) -> Iterator[None]:
        """Renew a lease from a thread: an evaluation may well take longer than it lasts."""
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(RENEWAL):
                for path in (self.leases.path(lease.attempt), self.file):
                    with contextlib.suppress(CannotWrite):
                        self.leases.renew(path)

        thread = threading.Thread(target=renew, name="tunebench lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def let_go(self) -> None:
        """Give up all jobs of this command's processes, which have ended.

        What was handed in stays its own until the leader has stored it.
        """
        for attempt in self.leases.held():
            lease = self.leases.lease(attempt)
            if (
                lease is not None
                and lease.runner == self.runner
                and not self.leases.is_handed(lease)
            ):
                self.leases.release(attempt)
                self.leases.discard(lease)


def attempt_of(job: Job) -> Attempt:
    """The names of a job's files."""
    return Attempt(key_of(job.name), job.attempt)
