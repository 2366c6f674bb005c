"""A comparison without training: the real schedule, leases and leader, with a clock of our own.

Every process of the comparison lives in this one, and time is a number that only `Crew` moves. The
folder is real.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.records import Result, Trial
from tunebench.store.leases import RENEWAL, Attempt, Lease, Leases
from tunebench.store.store import PlannedCell, Store
from tunebench.store.workers import Process, Workers
from tunebench.study.execution import Execution
from tunebench.study.jobs import Job, cell_job, trial_jobs
from tunebench.study.member import Member, attempt_of
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.parcel import seal, terms_of
from tunebench.study.schedule import Schedule
from tunebench.study.sharing import POLL, Sharing
from tunebench.study.space import space
from tunebench.study.work import LONGEST_POLL, Joined

from tests.records import result

SPACES = {"lora": space(get_method("lora"), {})}
RUN = {"comparison": "c", "command": "tunebench compare", "tracking_uri": None, "cells": True}
NOTHING = Execution(None, ())
"""Runs no job: `Crew` does."""


class Memory(Store):  # type: ignore[misc]
    """A store that is a dictionary, and counts how often a record is put."""

    def __init__(self) -> None:
        self.of_trials: dict[tuple[str, int], Trial] = {}
        self.of_cells: dict[str, Result] = {}
        self.puts: Counter[object] = Counter()

    def trial(self, study: str, number: int) -> Trial | None:
        return self.of_trials.get((study, number))

    def trials(self, study: str, count: int) -> tuple[Trial, ...]:
        numbers = [n for n in range(count) if (study, n) in self.of_trials]
        return tuple(self.of_trials[study, n] for n in numbers)

    def put_trial(self, trial: Trial) -> None:
        self.of_trials[trial.study, trial.number] = trial
        self.puts[trial.study, trial.number] += 1

    def result(self, cell: str) -> Result | None:
        return self.of_cells.get(cell)

    def put_result(self, result: Result) -> None:
        self.of_cells[result.cell] = result
        self.puts[result.cell] += 1

    def unfinished(self) -> tuple[str, ...]:
        return ()

    def drop_unfinished(self, record: str) -> None:
        pass

    def bring(self, result: Result, folder: Path) -> None:
        pass


class NoDatabase(OptunaDatabase):  # type: ignore[misc]
    """Stands in for Optuna's copy."""

    def __init__(self) -> None:
        pass

    def reconcile(self, *_: Any) -> list[Any]:
        return []

    def add(self, *_: Any) -> None:
        pass


def jobs(studies: int, seeds: int, trials: int = 4) -> list[Job]:
    """Trials and cells of so many studies of LoRA."""
    made: list[Job] = []
    for number in range(studies):
        study = f"s{number}"
        of_study = tuple(trial_jobs(study, f"task{number}", "lora", 0, trials))
        cells = [
            PlannedCell(f"c{number}-{seed}", study, f"task{number}", "lora", seed)
            for seed in range(seeds)
        ]
        made += [*of_study, *(cell_job(cell, of_study) for cell in cells)]
    return made


def draw(study: str, _: object, earlier: Iterable[Trial], number: int, *__: Any) -> dict[str, Any]:
    """Settings that the trials before decide, without Optuna."""
    seen = [trial.score for trial in earlier]
    return {"rank": random.Random(f"{study} {number} {seen}").randrange(1, 1_000)}


def trained(job: Job) -> Trial | Result:
    """A record that the job's settings alone decide, as training does."""
    assert job.number is not None
    score = random.Random(f"{job.study} {job.seed} {job.hyperparameters}").random()
    if job.kind == "trial":
        return Trial(job.study, job.number, "complete", dict(job.hyperparameters or {}), score, 0.0)
    row = result("sst2", "lora", job.seed, "complete")
    settings = dict(job.hyperparameters or {})
    values = {"cell": job.name, "study": job.study, "adapter": "", "predictions": ""}
    return replace(row, **values, hyperparameters=settings, best_trial=job.number, score=score)


@dataclass
class Helper:
    """A worker that runs one job at a time on a host of its own."""

    joined: Joined
    lease: Lease | None = None
    job: Job | None = None
    pause: float = POLL
    gone: bool = False
    """Whether it renews nothing any more, and says nothing."""


@dataclass
class Crew:
    """The leader and its workers, on one folder and one clock."""

    out: Path
    jobs: list[Job]
    seconds: Callable[[Job], float] = lambda job: 60.0
    """How long a job takes."""
    time: float = 1_000_000.0
    notes: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    """How often a job was trained to its end."""

    def __post_init__(self) -> None:
        self.store = Memory()
        self.schedule = Schedule(self.jobs, self.store, SPACES, NoDatabase())
        self.leader = Member(self.out, leads=True, runner="leader")
        self.begin()
        self.helpers: list[Helper] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def begin(self) -> None:
        """Let a leader begin, in the place of the one before."""
        self.sharing = Sharing(self.leader, self.notes.append, lambda: self.time)
        self.sharing.leases = self.leases = Leases(self.out, self.touch)
        self.sharing.workers = self.workers = Workers(self.out, self.touch)
        self.sharing.begin()
        self.sharing.lead(RUN)

    def touch(self, path: Path) -> None:
        """Set a file's time of change to ours."""
        os.utime(path, (self.time, self.time))

    def add(self, count: int) -> None:
        """Let workers join."""
        for _ in range(count):
            number = len(self.helpers)
            member = Member(self.out, leads=False, runner=f"{number:04x}")
            joined = Joined(member, RUN, NOTHING, Quiet(), lambda: self.time)
            joined.leases, joined.workers = self.leases, self.workers
            with on_host(f"host{number}"):
                self.workers.join(member.runner, 1)
            helper = Helper(joined)
            self.helpers.append(helper)
            self.at(random.Random(number).random(), partial(self.take, helper))

    def at(self, delay: float, what: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._events, (self.time + delay, next(self._order), what))

    def take(self, helper: Helper) -> None:
        """Let a worker take what is offered, or come again."""
        if helper.gone:
            return
        runner = helper.joined.member.runner
        for job in helper.joined.offers():
            with on_host(f"host{int(runner, 16)}"):
                lease = self.leases.claim(attempt_of(job), runner, job.what)
            if lease is not None:
                helper.job, helper.lease, helper.pause = job, lease, POLL
                self.at(self.seconds(job), partial(self.end, helper))
                self.at(RENEWAL, partial(self.renew, helper, lease.attempt))
                return
        self.at(helper.pause, partial(self.take, helper))
        helper.pause = min(2 * helper.pause, LONGEST_POLL)
        self.renew_presence(helper)

    def renew_presence(self, helper: Helper) -> None:
        """Say that a worker is at work."""
        helper.joined._renew()

    def renew(self, helper: Helper, attempt: Attempt) -> None:
        """As the thread beside a training does."""
        if not helper.gone and helper.lease is not None and helper.lease.attempt == attempt:
            self.leases.renew(self.leases.path(attempt))
            self.renew_presence(helper)
            self.at(RENEWAL, partial(self.renew, helper, attempt))

    def end(self, helper: Helper) -> None:
        """A worker's training has ended: it hands in, and takes the next job."""
        if helper.gone:
            return
        assert helper.job is not None
        assert helper.lease is not None
        self.steps[helper.job.name] += 1
        text = seal(terms_of(RUN), helper.job, trained(helper.job))
        if not self.leases.hand_in(helper.lease, text):
            self.notes.append("late")
        helper.job = helper.lease = None
        self.take(helper)

    def look(self) -> None:
        """The leader looks, once."""
        for job, _ in self.sharing.look(self.schedule, self.schedule.ready):
            self.stored.append(job.name)

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Let time pass until all is done."""
        next_look = self.time
        while (until is None or not until()) and next(self.schedule.ready(), None) is not None:
            while self._events and self._events[0][0] <= next_look:
                self.time, _, what = heapq.heappop(self._events)
                what()
            self.time = next_look
            self.look()
            next_look += POLL


class on_host:
    """Lets processes that are made meanwhile be of another host."""

    def __init__(self, name: str) -> None:
        self.process = Process(name, 1, f"boot of {name}")

    def __enter__(self) -> None:
        self.before = Process.this
        Process.this = classmethod(lambda cls: self.process)

    def __exit__(self, *_: object) -> None:
        Process.this = self.before


def by_one_process(made: list[Job]) -> Memory:
    """The records that one process makes."""
    store = Memory()
    schedule = Schedule(made, store, SPACES, NoDatabase())
    while (job := next(schedule.ready(), None)) is not None:
        schedule.finish(job, trained(job))
    return store
