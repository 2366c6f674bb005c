"""Which jobs of a comparison are done, which are ready, and what happens to a record.

The order in which records come changes nothing: a trial's draw depends on the records of the
trials before it alone, and a cell's settings on its whole study.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..analysis.studies import best_trial
from ..records import Result, Trial
from ..store.store import Store
from ..training.origin import differences
from .jobs import Job, Record, plain, trial_name
from .optuna_database import OptunaDatabase
from .search import draw, draw_of
from .space import Space


class Schedule:
    """The jobs of a comparison, from what its store holds to all of them done."""

    def __init__(
        self,
        jobs: Sequence[Job],
        store: Store,
        spaces: Mapping[str, Space],
        database: OptunaDatabase,
        origins: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Take the jobs in the plan's order; those that the store holds are done.

        Args:
            jobs: Trials and cells; what a job needs is among them.
            store: Where records are, and where they go.
            spaces: Each method's search space.
            database: Optuna's copy of the trials.
            origins: Study → what makes its records today; records that something else made do not
                count. None takes all records as they are.
        """
        self.origins = origins or {}
        self.made_otherwise: Counter[str] = Counter()
        """How many records do not count, by what made them."""
        self.jobs, self.store, self.spaces, self.database = jobs, store, spaces, database
        self._position = {job.name: place for place, job in enumerate(jobs)}
        self._waits = {job.name: set(job.needs) for job in jobs}
        self._dependents: dict[str, list[str]] = {}
        for job in jobs:
            for need in job.needs:
                self._dependents.setdefault(need, []).append(job.name)
        self._ready = [place for place, job in enumerate(jobs) if not job.needs]
        self._filled: dict[str, Job] = {}
        self._fixed: dict[str, Mapping[str, Any]] = {}
        self._trials: dict[str, list[Job]] = {}
        self._winners: dict[str, Trial | None] = {}
        for job in jobs:
            if job.kind == "trial":
                self._trials.setdefault(job.study, []).append(job)
        done = {job.name for job in jobs if job.kind == "trial" and self._has_trial(job)}
        for name in done:
            self._release(name)
        self._reconcile(done)
        self._sweep(store.unfinished())

    def ready(self) -> Iterator[Job]:
        """Every job that can start now, in the plan's order, with its settings filled in."""
        place = -1
        # Each next one is looked for anew: who asks for a few does not pay for thousands.
        while (index := bisect.bisect_right(self._ready, place)) < len(self._ready):
            place = self._ready[index]
            yield self._fill(self.jobs[place])

    def waiting(self, name: str) -> Job | None:
        """The job of this name, where it could start now; none where it is done, or too early."""
        place = self._position.get(name)
        if place is None:
            return None
        index = bisect.bisect_left(self._ready, place)
        there = index < len(self._ready) and self._ready[index] == place
        return self._fill(self.jobs[place]) if there else None

    def knows(self, name: str) -> bool:
        """Whether a job of this name is among these."""
        return name in self._position

    def finish(self, job: Job, record: Record, folder: Path | None = None) -> None:
        """Store a job's record, and let those start that waited for it.

        Args:
            job: What was run.
            record: What came of it.
            folder: Where a cell's files were written; none means in the store itself.
        """
        if isinstance(record, Trial):
            self.store.put_trial(record)
            self.database.add(job.study, self.spaces[job.method], record)
        elif isinstance(record, Result):
            if folder is not None:
                self.store.bring(record, folder)
            self.store.put_result(record)
        if isinstance(record, Trial | Result) and record.failure != "transient":
            self.store.drop_unfinished(job.writes)
        self._release(job.name)

    def _sweep(self, unfinished: Collection[str]) -> None:
        """Remove trainings whose record was written when their process ended."""
        for job in self.jobs if unfinished else ():
            is_done = self._waits[job.name] == {job.name}
            if is_done and job.kind != "measurement" and job.writes in unfinished:
                self.store.drop_unfinished(job.writes)

    def _has_trial(self, job: Job) -> bool:
        """Whether a trial's record stands; one that failed for want of memory or disk does not."""
        assert job.number is not None
        trial = self.store.trial(job.study, job.number)
        return trial is not None and trial.failure != "transient" and self._is_current(trial)

    def _is_current(self, record: Trial | Result) -> bool:
        """Whether today's code, packages and kind of device made a record."""
        today = self.origins.get(record.study)
        changed = differences(record.origin, today) if today is not None else ()
        if changed:
            self.made_otherwise[", ".join(changed)] += 1
        return not changed

    def _is_done(self, job: Job) -> bool:
        """Whether the record of a job is there when those of all that it needs are."""
        if job.kind == "cell":
            return self._has_cell(job)
        return job.kind == "measurement" and self._has_measurement(job)

    def _has_measurement(self, job: Job) -> bool:
        """Whether a cell was timed, or has nothing that could be."""
        result = self.store.result(job.cell)
        return result is None or result.status != "complete" or bool(result.latency)

    def _has_cell(self, job: Job) -> bool:
        """Whether a cell is complete, and was trained with the best of its study's trials."""
        result = self.store.result(job.name)
        if result is None or result.status != "complete":
            return False
        if not self._is_current(result):
            # It is trained again in its place, and stays beside it as what it was.
            if result.predictions:
                self.store.put_rerun(result)
            return False
        winner = self._winner(job.study)
        return winner is not None and winner.number == result.best_trial

    def _winner(self, study: str) -> Trial | None:
        """The best of a study's trials, all of which are there; asked by each of its cells."""
        if study not in self._winners:
            self._winners[study] = best_trial(self._records(study))
        return self._winners[study]

    def _records(self, study: str) -> tuple[Trial, ...]:
        return self.store.trials(study, len(self._trials[study]))

    def _release(self, name: str) -> None:
        """Take a job that is done out of the way of those that need it."""
        place = self._position[name]
        index = bisect.bisect_left(self._ready, place)
        if index < len(self._ready) and self._ready[index] == place:
            del self._ready[index]
        # A job that is done before what it needs never becomes ready.
        self._waits[name] = {name}
        self._filled.pop(name, None)
        for dependent in self._dependents.pop(name, ()):
            waits = self._waits[dependent]
            waits.discard(name)
            if not waits:
                place = self._position[dependent]
                bisect.insort(self._ready, place)
                if self._is_done(self.jobs[place]):
                    self._release(dependent)

    def _reconcile(self, done: set[str]) -> None:
        """Bring Optuna's studies to the store; what somebody enqueued there is tried next."""
        for study, trials in self._trials.items():
            space = self.spaces[trials[0].method]
            open_trials = [trial for trial in trials if trial.name not in done]
            again = {trial.number for trial in open_trials if trial.number is not None}
            enqueued = self.database.reconcile(study, space, again)
            names = [trial.name for trial in open_trials]
            self._fixed |= dict(zip(names, enqueued, strict=False))

    def _fill(self, job: Job) -> Job:
        """The job with the settings that the records before it decide."""
        if job.name not in self._filled:
            self._filled[job.name] = self._trial(job) if job.kind == "trial" else self._cell(job)
        return self._filled[job.name]

    def _trial(self, job: Job) -> Job:
        assert job.number is not None
        space = self.spaces[job.method]
        earlier = self.store.trials(job.study, job.number if job.needs else 0)
        enqueued = self._fixed.get(trial_name(job.study, job.number))
        settings = draw(job.study, space, earlier, job.number, enqueued)
        return replace(
            job,
            hyperparameters=plain(settings),
            draw="enqueued" if enqueued else draw_of(earlier, job.number),
        )

    def _cell(self, job: Job) -> Job:
        """The settings of the study's best trial, or why the cell cannot be trained."""
        winner = self._winner(job.study)
        if winner is not None:
            return replace(
                job,
                number=winner.number,
                hyperparameters=plain(winner.params),
                validation_score=winner.score,
            )
        trials = self._records(job.study)
        diverged = all(trial.status == "diverged" for trial in trials)
        reasons = "; ".join(dict.fromkeys(trial.reason for trial in trials))
        return replace(
            job,
            status="diverged" if diverged else "error",
            reason=f"0 of {len(trials)} trials complete: {reasons}",
        )
