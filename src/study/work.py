"""`work`: join a running comparison from another terminal, or another machine with the same folder.

A worker takes what the leader offers, trains it, and hands the record in. Where the leader is gone
without having ended the comparison (it was killed, its machine was lost, or somebody stopped it),
the first worker that has nothing to do leads from then on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import Experiment
from ..data.load import load_tasks
from ..errors import UserError
from ..files import busy, file_lock, keeping_first_error
from ..progress import Progress
from ..records import Comparison, Result, Trial
from ..report.live import default_progress
from ..store.leases import RENEWAL, Attempt
from ..store.remembering import RememberingStore
from ..store.workers import Workers
from ..text import plural
from ..tracking import chosen
from ..validation import validated
from .checks import check_run_settings
from .execution import Execution
from .executors.base import Executor
from .jobs import Elsewhere, Job, Record
from .member import Member, attempt_of
from .parcel import open_parcel, seal, terms_of

POLL, LONGEST_POLL = 1.0, 10.0
"""Seconds between two looks at what is offered: more of them the longer nothing is."""


def work(
    out: Path,
    *,
    workers: int = 0,
    wait: float = 0.0,
    data: str | None = None,
    tracking_uri: str | None = None,
    optuna_storage: str | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Comparison | None:
    """Take jobs of the comparison that is run in a folder, until it ends.

    Args:
        out: The folder of results.
        workers: How many jobs run at a time; 0 means as many as there are cores or GPUs.
        wait: Seconds to wait for a comparison to begin.
        data: Where this machine has the data; none means where the leader has them.
        tracking_uri: MLflow's address, in case that this process comes to lead.
        optuna_storage: The address of Optuna's copy of the trials, for the same case.
        progress: Hears what happens.
        clock: Gives seconds since any moment.
        sleep: Waits for some seconds.

    Returns:
        The comparison where this process came to lead it; none where another one did to the end.

    Raises:
        UserError: Nothing is run in the folder, it cannot be written to, or this process would
            not make what the leader makes: another program, other data, another kind of device.
        KeyboardInterrupt: The process was asked to stop; its jobs are given up.
    """
    progress = progress or default_progress()
    run = _run_of(out, clock() + wait, clock, sleep)
    from .terms import check_in_common, check_program  # torch, which takes seconds to import

    check_program(run)
    member = Member(out, leads=False)
    member.workers.prepare()
    member.leases.prepare()
    from .prepare_run import prepare_run, workers_of
    from .runner import executor_of

    experiment = _experiment(run, out, workers, data, tracking_uri, optuna_storage)
    check_run_settings(experiment)
    tasks = load_tasks(experiment.tasks, experiment.data, say=progress.note)
    prepared = prepare_run(experiment, RememberingStore(out), progress, data=tasks)
    execution = Execution(prepared, tasks, member).beside_others(progress)
    check_in_common(run, execution)
    count = workers_of(experiment)
    member.workers.join(member.runner, count)
    joined = Joined(member, run, execution, progress, clock)
    progress.note(f"joined {run['comparison']} with {plural(count, 'worker')}: {run['command']}")
    with (
        contextlib.closing(joined),
        contextlib.closing(executor_of(experiment)) as executor,
    ):
        pause = POLL
        while True:
            if joined.help(executor):
                pause = POLL
            if not joined.goes_on():
                progress.note(f"{run['comparison']} has ended")
                return None
            if joined.has_no_leader(experiment):
                comparison = joined.lead(experiment, executor)
                if comparison is not None:
                    return comparison
            sleep(pause)
            pause = min(2 * pause, LONGEST_POLL)


class Joined:
    """A worker's side of a folder that several processes work in."""

    def __init__(
        self,
        member: Member,
        run: Mapping[str, Any],
        execution: Execution,
        progress: Progress,
        clock: Callable[[], float],
    ) -> None:
        """Begin with nothing taken.

        Args:
            member: The worker's command.
            run: What the leader wrote.
            execution: Runs a job.
            progress: Hears what happens.
            clock: Gives seconds since any moment.
        """
        self.member, self.run, self.execution, self.progress = member, run, execution, progress
        self._clock, self._next_renewal, self._next_check = clock, 0.0, 0.0
        self.leases, self.workers = member.leases, member.workers
        self._terms = terms_of(run)
        self._waits = False
        self._missed: set[Attempt] = set()
        """Offers that another process took first."""

    def help(self, executor: Executor) -> bool:
        """Run what is offered, until nothing is; whether anything was."""
        helped = False
        self._renew()
        for pair in executor.run(self.offers, self.execution):
            self._renew()
            if pair is not None:
                helped = True
                self.hand_in(*pair)
        return helped

    def _renew(self) -> None:
        """Say now and then that this process is at work."""
        if self._clock() >= self._next_renewal:
            self._next_renewal = self._clock() + RENEWAL
            self.leases.renew(self.member.file)

    def offers(self) -> Iterator[Job]:
        """The jobs that are offered, each worker begins at another one."""
        offers = self.leases.offers()
        first = int(self.member.runner, 16) % max(1, len(offers))
        for attempt in offers[first:] + offers[:first]:
            if attempt in self._missed:
                continue
            parcel = open_parcel(self.leases.offer_of(attempt))
            if parcel is not None and parcel.terms == self._terms:
                yield parcel.job

    def hand_in(self, job: Job, record: Record) -> None:
        """Give a record to the leader, unless the job was lost meanwhile."""
        if isinstance(record, Elsewhere):
            self._missed.add(attempt_of(job))
            return
        assert isinstance(record, Trial | Result)
        lease = self.member.lease_of(job)
        if lease is None or not self.leases.hand_in(lease, seal(self._terms, job, record)):
            self.progress.note(f"{job.what}: late, another process has taken the job over")

    def goes_on(self) -> bool:
        """Whether the comparison that was joined is still run, by whomever."""
        now = self.workers.run()
        return now is not None and terms_of(now[0]) == self._terms

    def has_no_leader(self, experiment: Experiment) -> bool:
        """Whether the leader is gone and this process can take its place.

        On this host that is seen at once, elsewhere by the age of the leader's last renewal. A
        process that was not given the servers that the leader wrote to cannot.
        """
        now = self.workers.run()
        if now is None:
            return False
        run, leader = now
        if not leader.is_dead:
            if self._clock() < self._next_check:
                return False
            self._next_check = self._clock() + RENEWAL
            if not self.workers.is_gone(self.workers.run_file, leader, self.workers.now()):
                return False
        unnamed = _unnamed_server(run, experiment)
        if unnamed and not self._waits:
            self._waits = True
            self.progress.note(f"{leader}, which led, is gone; {unnamed}: waiting for a leader")
        return not unnamed

    def lead(self, experiment: Experiment, executor: Executor) -> Comparison | None:
        """Lead the comparison from now on, to its end; none where another process was first."""
        from .runner import lead
        from .sharing import Sharing

        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(file_lock(self.member.out))
            except UserError:
                return None
            self.progress.note(f"the leader of {self.run['comparison']} is gone: leading from here")
            self.workers.leave(self.member.runner)
            member = replace(self.member, leads=True)
            sharing = lock.enter_context(contextlib.closing(Sharing(member, self.progress.note)))
            sharing.begin()
            return lead(
                experiment,
                replace(self.execution, member=member),
                executor,
                sharing,
                self.run["command"],
                fail_fast=False,
                cells=self.run["cells"],
            )

    def close(self) -> None:
        """Take no more, and give up what was taken; the processes have ended."""
        with keeping_first_error():
            self.workers.leave(self.member.runner)
            self.member.let_go()


def _run_of(
    out: Path, until: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Mapping[str, Any]:
    """What is run in a folder; waits while somebody prepares it, and `until` in any case.

    Raises:
        UserError: Nothing is, or what stands there is not what a leader of ours writes.
    """
    workers = Workers(out)
    while (there := workers.run()) is None:
        if not busy(out) and clock() >= until:
            raise UserError(
                f"no comparison is run in '{out}': type `tunebench compare` in another terminal"
            )
        sleep(POLL)
    run = there[0]
    kinds = {
        **dict.fromkeys(("comparison", "command", "program", "backbone"), str),
        **dict.fromkeys(("experiment", "data", "origins"), dict),
        "cells": bool,
    }
    unfit = [name for name, kind in kinds.items() if not isinstance(run.get(name), kind)]
    if unfit:
        raise UserError(
            f"'{workers.run_file}' is damaged, or another version's: it has no {unfit[0]}"
        )
    return run


def _unnamed_server(run: Mapping[str, Any], experiment: Experiment) -> str:
    """A server that the leader wrote to and nobody named here; empty where there is none."""
    servers = (
        ("MLflow", "tracking_uri", chosen(experiment.tracking_uri)),
        ("Optuna's copy of the trials", "optuna_storage", experiment.optuna_storage),
    )
    for what, setting, named in servers:
        if run.get(setting) and not named:
            flag = setting.replace("_", "-")
            return (
                f"its {what} is at {run[setting]}, which is not contacted unless you name it "
                f"again by --{flag}"
            )
    return ""


def _experiment(
    run: Mapping[str, Any],
    out: Path,
    workers: int,
    data: str | None,
    tracking_uri: str | None,
    optuna_storage: str | None,
) -> Experiment:
    """The leader's settings, with what this process has for itself."""
    for_itself = {
        "out": str(out),
        "workers": workers,
        "tracking_uri": tracking_uri,
        "optuna_storage": optuna_storage,
    }
    experiment: Experiment = validated(Experiment, {**run["experiment"], **for_itself}, ".".join)
    if data is not None:
        experiment = replace(experiment, data=replace(experiment.data, source=data))
    return experiment
