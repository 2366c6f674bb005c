"""`status`: who works in a folder of results, on what, and how much there is left to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..files import busy
from ..store.leases import Leases
from ..store.store import Store, require_plan
from ..store.workers import Process, Workers


@dataclass(frozen=True)
class Running:
    """A job that somebody has taken."""

    what: str
    host: str
    process: int
    since: float
    """Seconds ago, as all times here, by the file system's clock."""
    renewed: float
    leads: bool
    """Whether the leader's own command runs it."""


@dataclass(frozen=True)
class Helper:
    """A command that takes what the leader offers."""

    host: str
    process: int
    workers: int
    """How many jobs it runs at a time."""
    since: float
    renewed: float


@dataclass(frozen=True)
class Status:
    """A comparison as it stands."""

    comparison: str
    command: str
    running: bool
    """Whether a process holds the folder's lock."""
    leader: str
    """Who leads, or did so last; empty where nothing is run."""
    cells: int
    done: int
    """Cells that have a record, complete or not."""
    trials: int
    trials_done: int
    jobs: tuple[Running, ...]
    helpers: tuple[Helper, ...]
    offers: int
    """Jobs that wait for one of them."""
    waiting: int
    """Records that came in and are not stored yet."""


def status(out: Path) -> Status:
    """Look at a folder of results; nothing but the clock is written, and that only if it can be.

    Whether a record is sound is not looked at, which `doctor` does.

    Raises:
        UserError: There is no comparison in the folder.
    """
    store, leases, workers = Store(out), Leases(out), Workers(out)
    plan = require_plan(store)
    run = workers.run()
    if run is not None and (identity := run[0].get("comparison")) != plan.id:
        plan = store.plan(str(identity)) or plan
    runner = "" if run is None else str(run[0].get("runner", ""))
    try:
        now = workers.now()
    except OSError:  # nothing is run here, or we may only look
        now = 0.0
    names = {path.stem for path in (out / "cells").glob("*.json")}
    done = [cell.cell for cell in plan.cells if cell.cell in names]
    trials = [one.trials or plan.trials for one in plan.studies]
    trials_done = [
        min(count, len(list((out / "trials" / one.study).glob("*.json"))))
        for one, count in zip(plan.studies, trials, strict=True)
    ]
    return Status(
        comparison=plan.id,
        command=plan.command,
        running=busy(out),
        leader="" if run is None else str(run[1]),
        cells=len(plan.cells),
        done=len(done),
        trials=sum(trials),
        trials_done=sum(trials_done),
        jobs=tuple(_jobs(leases, runner, now)),
        helpers=tuple(_helpers(workers, now)),
        offers=len(leases.offers()),
        waiting=sum(1 for _ in leases.handed()),
    )


def _jobs(leases: Leases, runner: str, now: float) -> list[Running]:
    there = [(lease, leases.renewed(one)) for one in leases.held() if (lease := leases.lease(one))]
    return [
        Running(
            lease.what,
            *_shown(lease.process),
            _ago(lease.since, now),
            _ago(renewed, now),
            lease.runner == runner,
        )
        for lease, renewed in there
        if renewed is not None
    ]


def _helpers(workers: Workers, now: float) -> list[Helper]:
    return [
        Helper(*_shown(one.process), one.count, _ago(one.since, now), _ago(renewed, now))
        for one in workers.there()
        if (renewed := workers.renewed(one.runner)) is not None
    ]


def _shown(process: Process) -> tuple[str, int]:
    return process.host, process.pid


def _ago(then: float, now: float) -> float:
    return round(max(0.0, now - then), 1)
