"""A comparison's work as plain data: which jobs there are, and how one of them is run.

A job is a trial, a cell, the measurement of a cell, or the untrained rows of a task. It says which
jobs must be done before it, and which record it makes. `execute` is the only place that trains or
measures: the runner, a worker process and `run_once` all call it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..config import Experiment, SearchSettings
from ..records import Draw, Reference, Result, Status, Trial
from ..store.store import PlannedCell

if TYPE_CHECKING:
    from .prepare_run import PreparedRun


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """In the place of a record: another process has taken the job, or taken it over."""


Record = Trial | Result | tuple[Reference, ...] | Elsewhere
"""What a job makes: a trial's or a cell's record, or a task's untrained rows."""
RANDOM_TRIALS = SearchSettings.random_trials
"""So many trials of a study do not follow what was seen, unless a budget says otherwise. They do
not depend on each other."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One piece of work, as plain data that survives JSON and pickle.

    Settings that depend on other jobs (a trial's draw, a cell's winner) are filled in when those
    are done: a job that an executor is given can be run without looking anything up.
    """

    kind: Literal["baselines", "trial", "cell", "measurement"]
    name: str
    """Unique in a comparison, and the same in every run of it."""
    task: str
    method: str = ""
    seed: int = 0
    study: str = ""
    number: int | None = None
    """A trial's number, or that of the trial that a cell's settings come from."""
    needs: tuple[str, ...] = ()
    """The names of the jobs whose records must be there before."""
    writes: str = ""
    """The record's path in the store, without its ending."""
    hyperparameters: Mapping[str, Any] | None = None
    """The method's settings; none until the jobs that they come from are done."""
    draw: Draw = ""
    """Where a trial's settings came from."""
    validation_score: float | None = None
    """Of the trial that a cell's settings come from."""
    status: Status | None = None
    """How a cell ends without being trained, where no trial of its study completed."""
    reason: str = ""
    """Why it ends so."""
    attempt: int = 1
    """Which attempt at it this is: one more each time that a worker was lost; see `Leases`."""

    @property
    def exclusive(self) -> bool:
        """Whether no other job may run on the machine meanwhile, since it is timed."""
        return self.kind == "measurement"

    @property
    def what(self) -> str:
        """The job as a reader sees it."""
        if self.kind == "trial" and self.number is not None:
            return f"{self.task} {self.method}: trial {self.number + 1}"
        if self.kind == "baselines":
            return f"{self.task}: untrained rows"
        return f"{self.task} {self.method}: seed {self.seed}" + ", latency" * self.exclusive

    @property
    def cell(self) -> str:
        """The name of the cell that a cell or a measurement is about."""
        return self.needs[0] if self.kind == "measurement" else self.name

    def to_json(self) -> str:
        """The job as text."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**fields | {"needs": tuple(fields["needs"])})


def plain(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """A method's settings as JSON has them: lists where the method's fields hold tuples."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in hyperparameters.items()
    }


def trial_name(study: str, number: int) -> str:
    """The name of a trial's job."""
    return f"{study}/{number}"


def trial_jobs(
    study: str,
    task: str,
    method: str,
    seed: int,
    count: int,
    random_trials: int = RANDOM_TRIALS,
) -> Iterator[Job]:
    """A study's trials: the first ones are independent, each later one needs all before it."""
    for number in range(count):
        needs = range(number if number >= random_trials else 0)
        yield Job(
            kind="trial",
            name=trial_name(study, number),
            task=task,
            method=method,
            seed=seed,
            study=study,
            number=number,
            needs=tuple(trial_name(study, earlier) for earlier in needs),
            writes=f"trials/{study}/{number:04d}",
        )


def cell_job(cell: PlannedCell, trials: Iterable[Job]) -> Job:
    """A cell's training, once every trial of its study is there."""
    return Job(
        kind="cell",
        name=cell.cell,
        task=cell.task,
        method=cell.method,
        seed=cell.seed,
        study=cell.study,
        needs=tuple(trial.name for trial in trials),
        writes=f"cells/{cell.cell}",
    )


def measurement_job(cell: PlannedCell) -> Job:
    """Timing a cell that was trained beside others, once nothing else runs."""
    return Job(
        kind="measurement",
        name=f"{cell.cell}/latency",
        task=cell.task,
        method=cell.method,
        seed=cell.seed,
        study=cell.study,
        needs=(cell.cell,),
        writes=f"cells/{cell.cell}",
    )


def baseline_job(task: str) -> Job:
    """The rows of a task for which nothing is trained."""
    return Job(kind="baselines", name=f"{task}/baselines", task=task, writes="untrained")


def searches_of(experiment: Experiment) -> int:
    """How many searches each task and method has: each of them needs a seed for its winner."""
    return max(1, min(experiment.search.studies, len(experiment.seeds)))


def search_of(experiment: Experiment, position: int) -> int:
    """Which search's winner the seed at a position trains: they are dealt out in turn."""
    return position % searches_of(experiment)


def trial_seed(experiment: Experiment, search: int = 0) -> int:
    """The seed of every trial of a search: the first of its winner's.

    All methods share it, so that trials can be paired.
    """
    return experiment.seeds[search] if experiment.seeds else 0


def execute(job: Job, run: PreparedRun) -> Record:
    """Run one job.

    Whatever a method, the data or the machine does wrong ends as a record with its reason, so that
    the other jobs run: also `sys.exit` in a method's code, and figures that are not finite.

    Raises:
        KeyboardInterrupt: The process was asked to stop.
        CannotWrite: What was made cannot be kept.
    """
    prepared = run.tasks[job.task]
    if job.kind == "baselines":
        from ..baselines.rows import references
        from ..training.untouched import untouched

        with untouched(prepared.objective):
            return references(prepared, run.context)
    from .attempt import attempt

    return attempt(job, run, prepared)


def non_finite(value: Any, where: str = "") -> str | None:
    """The first number that is none, as "latency.0.ratio is nan"; none where all are finite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{where} is {value}"
    if dataclasses.is_dataclass(value):
        parts: Iterable[tuple[Any, Any]] = vars(value).items()
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return None
    reasons = (non_finite(part, f"{where}.{key}".lstrip(".")) for key, part in parts)
    return next((reason for reason in reasons if reason), None)
