"""The leader's side of a folder that several processes work in: offers, leases, what comes in.

The leader holds the folder's lock. It alone fills in settings, writes records, MLflow and Optuna's
copy, and says which attempt at a job counts, so that the table is what one process would have made.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..files import keeping_first_error
from ..records import Result, Trial
from ..store.leases import RENEWAL, Attempt, Handed, Lease, key_of
from ..store.workers import EXPIRY, Worker, place
from .execution import Execution
from .executors.base import Executor, Ready
from .jobs import Elsewhere, Job, Record
from .member import Member, attempt_of
from .parcel import fits, open_parcel, same, seal, terms_of
from .schedule import Schedule

POLL = 1.0
"""Seconds between two looks at what others have done."""
STOCK = 2
"""Offers for each job that others run at a time: who ends one need not wait for the next."""


class Sharing:
    """Who runs which job of a comparison, as its leader knows it."""

    def __init__(
        self,
        member: Member,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is known before `begin`.

        Args:
            member: The leader's command.
            note: Takes lines on what was lost or came late.
            clock: Gives seconds since any moment.
            sleep: Waits for some seconds.
        """
        self.member, self.note = member, note
        self.leases, self.workers = member.leases, member.workers
        self._clock, self._sleep = clock, sleep
        self._terms = ""
        self._numbers: dict[str, int] = {}
        """Job → the attempt that counts, where it is not the first."""
        self._elsewhere: dict[str, tuple[Attempt, Lease | None]] = {}
        """Job → the attempt at it that another command has taken, and who that is."""
        self._offered: dict[str, Attempt] = {}
        self._ours: set[Attempt] = set()
        """Leases of our own processes."""
        self._doubtful: set[Attempt] = set()
        """Leases that could not be read: perhaps they are being written."""
        self._there: dict[str, Worker] = {}
        self._passed_over: set[Attempt] = set()
        """What came in for other comparisons, and stays for them."""
        self._next_look = self._next_check = 0.0

    def begin(self) -> None:
        """Take over what a leader before has left; the folder's lock is ours.

        Raises:
            UserError: The folder cannot be written to.
        """
        self.workers.prepare()
        self.leases.prepare()
        for attempt in self.leases.offers():
            self._count(attempt)
            self.leases.withdraw(attempt)
        for attempt in self.leases.held():
            self._count(attempt)
            lease = self.leases.lease(attempt)
            if lease is None:
                self._set_aside(attempt)
            elif lease.process.is_dead and not self.leases.is_handed(lease):
                self._again(attempt)
            else:
                self._elsewhere[attempt.key] = attempt, lease
        self.leases.clear()

    def lead(self, run: Mapping[str, Any]) -> None:
        """Let others join.

        Args:
            run: What they have to know, as plain data; see `work.py`.
        """
        self._terms = terms_of(run)
        self.workers.lead(run)

    def end(self) -> None:
        """Let others go: nothing is left to do, or nobody shall go on."""
        self.workers.end()

    def close(self) -> None:
        """Offer nothing any more; our own processes have ended."""
        with keeping_first_error():
            for attempt in self._offered.values():
                self.leases.withdraw(attempt)
            self.member.let_go()

    def records(
        self, executor: Executor, schedule: Schedule, ready: Ready, execution: Execution
    ) -> Iterator[tuple[Job, Record]]:
        """Have jobs run, here and by others; each record is stored, and then given.

        Args:
            executor: Runs jobs here.
            schedule: The jobs, and their store.
            ready: Those that may start now, in the plan's order.
            execution: Runs one job.
        """
        while True:
            for pair in executor.run(lambda: self._for_us(ready), execution):
                if pair is not None:
                    yield from self._ended(schedule, *pair)
                if self._clock() >= self._next_look:
                    yield from self.look(schedule, ready)
            yield from self.look(schedule, ready)
            if next(self._for_us(ready), None) is None:
                taken = any(key_of(job.name) in self._elsewhere for job in schedule.ready())
                if not taken and next(iter(ready()), None) is None:
                    return
                self._sleep(POLL)

    def look(self, schedule: Schedule, ready: Ready) -> Iterator[tuple[Job, Record]]:
        """Store what came in, learn what was taken and lost, and offer what others may take."""
        now = self._clock()
        self._next_look = now + POLL
        for handed in self.leases.handed():
            yield from self._came_in(schedule, handed)
        self._see_leases(set(self.leases.held()))
        self._see_workers(check=now >= self._next_check)
        if now >= self._next_check:
            self._next_check = now + RENEWAL
            self.leases.renew(self.workers.run_file)
            self._check_ages()
        self._offer(ready)

    def _for_us(self, ready: Ready) -> Iterator[Job]:
        """The jobs that our own processes may take: offers too, whoever is first.

        What is timed comes last, and waits for others on this host to end what they have taken.
        """
        timed = []
        for job in ready():
            key = key_of(job.name)
            if key in self._elsewhere:
                continue
            if job.exclusive:
                timed.append(self._numbered(job, key))
            else:
                yield self._numbered(job, key)
        if timed and not self._neighbour_runs():
            yield from timed

    def _neighbour_runs(self) -> bool:
        """Whether another command runs a job on this host."""
        leases = (lease for _, lease in self._elsewhere.values())
        return any(lease is not None and lease.process.place == place() for lease in leases)

    def _numbered(self, job: Job, key: str) -> Job:
        number = self._numbers.get(key, 1)
        return job if number == job.attempt else replace(job, attempt=number)

    def _ended(self, schedule: Schedule, job: Job, record: Record) -> Iterator[tuple[Job, Record]]:
        """Store what one of our own processes made."""
        attempt = attempt_of(job)
        if isinstance(record, Elsewhere):
            # The next look says who has it.
            self._elsewhere.setdefault(attempt.key, (attempt, None))
            self._next_look = 0.0
            return
        lease = self.member.lease_of(job)
        if lease is None and record_failed(record):
            # The process may have been lost before it took the job.
            lease = self.leases.claim(attempt, self.member.runner, job.what)
        if lease is None:
            self.note(f"{job.what}: its lease was removed; it runs again")
            self._again(attempt)
            return
        schedule.finish(job, record, self.leases.made(lease))
        self._ours.discard(attempt)
        self._done(attempt)
        self.leases.discard(lease)
        yield job, record

    def _came_in(self, schedule: Schedule, handed: Handed) -> Iterator[tuple[Job, Record]]:
        """Store what another process made, unless it is late."""
        if handed.attempt in self._passed_over:
            return
        parcel = open_parcel(handed.text)
        if parcel is not None and not schedule.knows(parcel.job.name):
            self._passed_over.add(handed.attempt)
            self._elsewhere.pop(handed.attempt.key, None)
            return
        lease = self.leases.lease(handed.attempt)
        in_time = lease is not None and lease.owner == handed.owner
        if parcel is None or handed.attempt != attempt_of(parcel.job):
            self.note(f"what came in for {handed.attempt.key} cannot be read; it runs again")
            if in_time:
                self._again(handed.attempt)
        else:
            job = schedule.waiting(parcel.job.name)
            record = parcel.record
            counts = in_time and parcel.terms == self._terms
            counts = counts and job is not None and same(job, parcel.job)
            if counts and fits(parcel.job, record, schedule.origins):
                assert job is not None
                assert record is not None
                schedule.finish(job, record, handed.folder)
                self._done(handed.attempt)
                shutil.rmtree(handed.folder, ignore_errors=True)
                yield job, record
                return
            who = f"by {lease.process} " if in_time and lease is not None else ""
            self.note(f"{parcel.job.what}: what came in {who}is late and does not count")
            if in_time:
                self._again(handed.attempt)
        shutil.rmtree(handed.folder, ignore_errors=True)

    def _done(self, attempt: Attempt) -> None:
        """A job's record is stored."""
        self.leases.release(attempt)
        if (offer := self._offered.pop(attempt.key, None)) is not None:
            self.leases.withdraw(offer)
        self._elsewhere.pop(attempt.key, None)
        self._numbers.pop(attempt.key, None)

    def _again(self, attempt: Attempt) -> None:
        """A job has to run again, as another attempt."""
        self._count(Attempt(attempt.key, attempt.number + 1))
        self.leases.release(attempt)
        if (offer := self._offered.pop(attempt.key, None)) is not None:
            self.leases.withdraw(offer)
        self._elsewhere.pop(attempt.key, None)

    def _count(self, attempt: Attempt) -> None:
        """Remember the highest attempt at a job."""
        number = max(attempt.number, self._numbers.get(attempt.key, 1))
        if number > 1:
            self._numbers[attempt.key] = number

    def _set_aside(self, attempt: Attempt) -> None:
        """A lease that cannot be read is nobody's."""
        name = self.leases.set_aside(attempt)
        self.note(f"the lease of {attempt.key} cannot be read: set aside as work/{name}")
        self._again(attempt)

    def _see_leases(self, held: set[Attempt]) -> None:
        """Learn what was taken, and what was let go."""
        for attempt, _ in list(self._elsewhere.values()):
            if attempt not in held:
                self._again(attempt)
        self._ours &= held
        held -= self._passed_over
        unread = held - self._ours - {one for one, lease in self._elsewhere.values() if lease}
        doubtful = set()
        for attempt in unread:
            lease = self.leases.lease(attempt)
            if lease is None:
                if attempt in self._doubtful:
                    self._set_aside(attempt)
                else:
                    doubtful.add(attempt)
            elif lease.runner == self.member.runner:
                self._ours.add(attempt)
                self._elsewhere.pop(attempt.key, None)
            else:
                self._elsewhere[attempt.key] = attempt, lease
            if (offer := self._offered.pop(attempt.key, None)) is not None:
                self.leases.withdraw(offer)
        self._doubtful = doubtful
        for attempt, lease in list(self._elsewhere.values()):
            if lease is not None and lease.process.is_dead:
                self._lost(attempt, lease)

    def _check_ages(self) -> None:
        """Take from others what they have not renewed."""
        now = self.workers.now()
        for attempt, lease in list(self._elsewhere.values()):
            renewed = self.leases.renewed(attempt)
            if lease is not None and (renewed is None or now - renewed > EXPIRY):
                self._lost(attempt, lease)

    def _lost(self, attempt: Attempt, lease: Lease) -> None:
        if self.leases.is_handed(lease):
            return  # its last act
        self.note(f"{lease.what}: {lease.process} was lost; another takes the job over")
        self._again(attempt)
        self.leases.discard(lease)

    def _see_workers(self, *, check: bool) -> None:
        """Learn who came and who went, and now and then who was lost."""
        names = set(self.workers.names())
        for name in self._there.keys() - names:
            del self._there[name]
        for name in names - self._there.keys():
            if (worker := self.workers.worker(name)) is not None:
                self._there[name] = worker
        now = self.workers.now() if check and self._there else 0.0
        for name, worker in list(self._there.items()):
            dead = worker.process.is_dead
            if dead or (
                check and self.workers.is_gone(self.workers.file(name), worker.process, now)
            ):
                self.workers.leave(name)
                del self._there[name]

    def _offer(self, ready: Ready) -> None:
        """Offer others what they can take in a while; without others nothing is written."""
        room = STOCK * sum(worker.count for worker in self._there.values()) - len(self._offered)
        if room <= 0:
            return
        taken = {attempt.key for attempt in self._ours} | self._offered.keys()
        for job in self._for_us(ready):
            attempt = attempt_of(job)
            if attempt.key in taken or job.exclusive:
                continue
            self.leases.offer(attempt, seal(self._terms, job))
            self._offered[attempt.key] = attempt
            room -= 1
            if not room:
                return


def record_failed(record: Record) -> bool:
    """Whether a trial or a cell ended without a score, and so without files."""
    return isinstance(record, Trial | Result) and record.status != "complete"
