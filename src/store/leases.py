"""Leases: which process runs which job, in files that all workers of an output folder share.

    work/offers/<job>.<n>           a job that waits for a worker, its settings filled in
    work/leases/<job>.<n>           who took it; its time of change says when it was renewed
    work/made/<job>.<n>.<owner>/    what its training writes, until the record is handed in
    work/handed/<job>.<n>.<owner>/  the same with the record, until the leader has stored it

A job is taken by making its lease, which a file system lets one process do. The number n is the
attempt: a lease that is not renewed is removed, and the job offered with a higher number. What is
handed in under a lease that is gone, or under another owner's, is late and changes nothing. Ages
are differences of times that the file system wrote, so that no host's clock counts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..files import writing
from .small_files import changed, names, read, remove, write
from .work_folder import WorkFolder
from .workers import Process, is_number

RENEWAL = 15.0
"""Seconds between two renewals of a lease."""
MOST = 120
"""Characters of a job's name in a file's name."""


class Attempt(NamedTuple):
    """A job by the name that its files have, and which attempt at it this is."""

    key: str
    number: int

    @property
    def file(self) -> str:
        """The name of its offer and of its lease."""
        return f"{self.key}.{self.number}"


@dataclasses.dataclass(frozen=True)
class Lease:
    """The right to run a job, until it is let go or lost."""

    attempt: Attempt
    owner: str
    """Drawn at random when the job was taken."""
    runner: str
    """The command that runs the job; its worker processes have it in common."""
    process: Process
    what: str
    """The job as a reader sees it."""
    since: float
    """When it was taken, by the file system's clock."""


@dataclasses.dataclass(frozen=True)
class Handed:
    """What came in."""

    attempt: Attempt
    owner: str
    folder: Path
    text: str
    """The record; empty where it cannot be read."""


def key_of(job: str) -> str:
    """A job's name as part of a file's name."""
    plain = job.replace("/", "+")
    if len(plain) <= MOST:
        return plain
    return f"{plain[: MOST - 9]}-{hashlib.sha256(job.encode()).hexdigest()[:8]}"


class Leases(WorkFolder):
    """The jobs in the folder `work` of an output folder."""

    FOLDERS = ("offers", "leases", "made", "handed")

    def offer(self, attempt: Attempt, text: str) -> None:
        """Let some worker take a job.

        Args:
            attempt: Which job, and which attempt at it.
            text: All that a worker has to know; one that reads it half written comes again.
        """
        write(self.folder / "offers" / attempt.file, text)

    def offers(self) -> list[Attempt]:
        """What is offered."""
        return self._attempts("offers")

    def offer_of(self, attempt: Attempt) -> str:
        """What an offer says; empty where it is offered no longer."""
        return read(self.folder / "offers" / attempt.file)

    def withdraw(self, attempt: Attempt) -> None:
        """Offer a job no longer."""
        remove(self.folder / "offers" / attempt.file)

    def claim(self, attempt: Attempt, runner: str, what: str) -> Lease | None:
        """Take a job, unless somebody has taken it.

        Args:
            attempt: Which job, and which attempt at it.
            runner: The command that takes it.
            what: The job as a reader sees it.

        Raises:
            CannotWrite: The folder cannot be written to, or the disk is full; nobody has the job.
        """
        path = self.path(attempt)
        with writing(path):
            try:
                file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
            except FileExistsError:
                return None
            try:
                with open(file, "w", encoding="utf-8") as stream:
                    since = os.fstat(file).st_mtime
                    owner = secrets.token_hex(8)
                    lease = Lease(attempt, owner, runner, Process.this(), what, since)
                    content = dataclasses.asdict(lease)
                    del content["attempt"]
                    json.dump(content, stream)
                self._touch(path)
            except OSError:
                path.unlink(missing_ok=True)
                raise
        self.withdraw(attempt)
        return lease

    def path(self, attempt: Attempt) -> Path:
        """The file that whoever runs a job renews."""
        return self.folder / "leases" / attempt.file

    def renew(self, path: Path) -> bool:
        """Say that whoever has a file is at work; false where it is lost."""
        with writing(path):
            try:
                self._touch(path)
            except FileNotFoundError:
                return False
        return True

    def release(self, attempt: Attempt) -> None:
        """Let go of a job: what its owner hands in afterwards is late."""
        remove(self.path(attempt))

    def held(self) -> list[Attempt]:
        """The jobs that are taken."""
        return self._attempts("leases")

    def lease(self, attempt: Attempt) -> Lease | None:
        """Who took a job; none where nobody has, or where the file is not what we write."""
        try:
            content = json.loads(read(self.path(attempt)))
            process = Process(**content.pop("process"))
            lease = Lease(attempt=attempt, process=process, **content)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        texts = (lease.owner, lease.runner, lease.what)
        sound = all(isinstance(one, str) for one in texts) and is_number(lease.since)
        return lease if sound else None

    def renewed(self, attempt: Attempt) -> float | None:
        """When a lease was renewed; none where it is gone."""
        return changed(self.path(attempt))

    def set_aside(self, attempt: Attempt) -> str:
        """Rename a lease that cannot be read, so that the job can be taken again.

        Returns:
            Its new name in the folder `work`.
        """
        name = f"{attempt.file}.damaged-{secrets.token_hex(4)}"
        with writing(self.folder / name):
            os.replace(self.path(attempt), self.folder / name)
        return name

    def made(self, lease: Lease) -> Path:
        """Where the files of a job are written until it has ended."""
        return self.folder / "made" / f"{lease.attempt.file}.{lease.owner}"

    def discard(self, lease: Lease) -> None:
        """Remove what a job has written."""
        shutil.rmtree(self.made(lease), ignore_errors=True)

    def hand_in(self, lease: Lease, text: str) -> bool:
        """Give what a job made to the leader.

        Args:
            lease: Under which it was made.
            text: The record.

        Returns:
            Whether the job is its owner's still; otherwise its files are gone.
        """
        current = self.lease(lease.attempt)
        if current is None or current.owner != lease.owner:
            self.discard(lease)
            return False
        made = self.made(lease)
        handed = self.folder / "handed" / made.name
        with writing(handed):
            made.mkdir(exist_ok=True)
            write(made / "record.json", text, sync=True)
            os.replace(made, handed)
        return True

    def is_handed(self, lease: Lease) -> bool:
        """Whether what was made under a lease has come in, and is not stored yet."""
        return (self.folder / "handed" / self.made(lease).name).exists()

    def handed(self) -> Iterator[Handed]:
        """What came in, in the order of names."""
        for name in names(self.folder / "handed"):
            file, _, owner = name.rpartition(".")
            attempt = _attempt(file)
            if attempt is not None:
                folder = self.folder / "handed" / name
                yield Handed(attempt, owner, folder, read(folder / "record.json"))

    def clear(self) -> None:
        """Remove what processes that are gone were making: no lease names it."""
        leases = [lease for attempt in self.held() if (lease := self.lease(attempt)) is not None]
        kept = {self.made(lease).name for lease in leases}
        for name in names(self.folder / "made"):
            if name not in kept:
                shutil.rmtree(self.folder / "made" / name, ignore_errors=True)

    def _attempts(self, folder: str) -> list[Attempt]:
        there = (_attempt(name) for name in names(self.folder / folder))
        return [attempt for attempt in there if attempt is not None]


def _attempt(file: str) -> Attempt | None:
    """The attempt that a file's name names."""
    key, _, number = file.rpartition(".")
    if not (key and number.isascii() and number.isdecimal()):
        return None
    return Attempt(key, int(number))
