"""Plan → jobs → executor → store: what `compare` and `tune` do once there is something to train."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..config import Experiment
from ..data.tasks import TaskData
from ..errors import UserError
from ..files import keeping_first_error
from ..progress import Progress
from ..records import Comparison, Reference, Result, Trial
from ..store.remembering import RememberingStore
from ..store.store import Plan, Store
from ..text import plural
from ..tracking import Phase, chosen
from ..training.context import RunContext
from .candidates import spaces, trial_counts
from .completed import inputs_of, mark_completed
from .execution import Execution
from .executors import get_executor
from .executors.base import Executor
from .jobs import (
    Job,
    Record,
    baseline_job,
    cell_job,
    measurement_job,
    searches_of,
    trial_jobs,
    trial_seed,
)
from .member import Member
from .optuna_attributes import study_attributes
from .optuna_database import OptunaDatabase
from .plan import assemble, methods_of, plan_of, study_of
from .prepare_run import PreparedRun, prepare_run, workers_of
from .publish import Publisher, without_secrets
from .schedule import Schedule
from .search import importances
from .sharing import Sharing
from .terms import terms
from .until import Deadline, Looks, looks, most_seeds, without_missing


def run_comparison(
    experiment: Experiment,
    data: Sequence[TaskData],
    command: str,
    progress: Progress,
    *,
    fail_fast: bool = False,
    cells: bool = True,
) -> Comparison:
    """Run all jobs that the store has no record of, then write MLflow and the report.

    The caller holds the folder's lock.

    Args:
        experiment: What to train.
        data: Its tasks.
        command: The line that a reader types to repeat it.
        progress: Hears what happens.
        fail_fast: Stop at the first cell that does not complete.
        cells: Whether the winners are trained and tested; otherwise the studies alone are filled.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
        KeyboardInterrupt: The process was asked to stop; what is finished is kept.
    """
    out = Path(experiment.out)
    member = Member(out, leads=True)
    sharing = Sharing(member, progress.note)
    sharing.begin()
    with (
        contextlib.closing(sharing),
        contextlib.closing(executor_of(experiment)) as executor,
    ):
        run = prepare_run(experiment, RememberingStore(out), progress, data=data)
        execution = Execution(run, data, member)
        return lead(
            experiment, execution, executor, sharing, command, fail_fast=fail_fast, cells=cells
        )


def executor_of(experiment: Experiment) -> Executor:
    """The executor that was named, or the one for so many workers.

    Raises:
        UserError: It cannot run here, or cannot be reached.
    """
    usual = "in_process" if workers_of(experiment) == 1 else "processes"
    return get_executor(experiment.executor or usual, experiment)


def lead(
    experiment: Experiment,
    execution: Execution,
    executor: Executor,
    sharing: Sharing,
    command: str,
    *,
    fail_fast: bool,
    cells: bool,
) -> Comparison:
    """Plan, run and publish; see `run_comparison`. Others may help as long as it lasts.

    Who is asked to stop lets them go on: one of them leads from then on.
    """
    run = execution.run
    store = run.context.store
    inputs = inputs_of(experiment, execution.data)
    references = _references(execution, executor)
    make = partial(
        plan_of,
        run.context.experiment,
        tuple(run.tasks.values()),
        run.context.checkpoint.digest,
        references,
        command,
        cells=cells,
        left_out=run.left_out,
        inputs=inputs,
        trials=trial_counts(run.context.experiment),
    )
    publisher = Publisher(store, experiment.tracking_uri, run.context.progress)
    deadline = Deadline(experiment.hours, workers=lambda: executor.workers)

    def next_look() -> Looks:
        methods = methods_of(run.context.experiment)
        return looks(lambda counts: make(counts=counts), run.tasks, methods, store)

    def run_plan(plan: Plan) -> bool:
        return _run_plan(execution, plan, executor, sharing, publisher, deadline, fail_fast)

    plan = _kept(make() if experiment.until is None else next_look().plan, experiment, store)
    publisher.prepare()
    sharing.lead(terms(experiment, execution, plan, cells=cells))
    phase: Phase = "killed"
    try:
        if experiment.until is None:
            whole = ended = run_plan(plan)
        else:
            whole, ended = _run_looks(plan, next_look, run_plan, deadline, run.context)
        phase = "finished" if whole else "killed"
        sharing.end()
    except Exception as error:
        with keeping_first_error():
            sharing.end()
        if isinstance(error, UserError):
            phase = "failed"
        raise
    finally:
        with keeping_first_error():
            plan = _with_importances(store.plan(plan.id) or plan, run.context)
            comparison = assemble(plan, store)
            publisher.finish(comparison, phase)
    if ended and not publisher.failed:
        mark_completed(comparison, plan, experiment)
    return comparison


def _run_looks(
    plan: Plan,
    next_look: Callable[[], Looks],
    run_plan: Callable[[Plan], bool],
    deadline: Deadline,
    context: RunContext,
) -> tuple[bool, bool]:
    """Run look after look; the store's plan then holds what is there, however far the last came.

    Returns:
        Whether all cells of that plan are there, and whether there is no further look to take.
    """
    store, note = context.store, context.progress.note
    while True:
        whole = run_plan(plan)
        look = next_look()
        if whole and look.plan.cells == plan.cells:
            return True, True
        if not whole:
            if not deadline.passed:
                return False, False
            if look.first:
                first = f"the first look, at {plural(most_seeds(plan), 'seed')}"
                note(f"time is up before {first}; the same command goes on")
                return False, False
            _kept(without_missing(look.plan, store), context.experiment, store)
            note(
                f"time is up in the look at {most_seeds(look.plan)} seeds; the same command goes on"
            )
            return True, False
        if not deadline.allows(look.plan, store):
            note(f"no time for the look at {most_seeds(look.plan)} seeds; the same command goes on")
            return True, False
        plan = _kept(look.plan, context.experiment, store)
        note(f"a look at {most_seeds(plan)} seeds follows, since not everything is decided")


def _kept(plan: Plan, experiment: Experiment, store: Store) -> Plan:
    """Store a plan as that of the last command, and give it as it is stored."""
    known = store.plan(plan.id)
    if known is not None:
        # A comparison that goes on began when it was first asked for.
        plan = replace(plan, created=known.created)
        if not plan.cells:
            # And a study may have had more trials than are asked for now.
            plan = replace(plan, trials=max(plan.trials, known.trials))
    if not plan.cells and not any(one.searched for one in spaces(experiment).values()):
        plan = replace(plan, trials=1)
    plan = without_secrets(plan, chosen(experiment.tracking_uri))
    store.put_plan(plan)
    return plan


def _with_importances(plan: Plan, context: RunContext) -> Plan:
    """The plan with what its trials say of each searched setting, stored if that is news."""
    store, method_spaces = context.store, spaces(context.experiment)
    studies = tuple(
        replace(
            one,
            importances=importances(
                store.trials(one.study, plan.trials) if plan.cells else store.all_trials(one.study),
                method_spaces[one.method],
            ),
        )
        for one in plan.studies
    )
    if studies != plan.studies:
        plan = replace(plan, studies=studies)
        store.put_plan(plan)
    return plan


def _run_plan(
    execution: Execution,
    plan: Plan,
    executor: Executor,
    sharing: Sharing,
    publisher: Publisher,
    deadline: Deadline,
    fail_fast: bool,
) -> bool:
    """Run what is missing of a plan; false where a failed cell or the deadline stopped it."""
    run = execution.run
    context, progress = run.context, run.context.progress
    so_far = assemble(plan, context.store)
    origins = {one.study: run.origin(one.task, one.method) for one in plan.studies}
    if so_far.trials and not plan.cells:
        progress.note(f"{plural(len(so_far.trials), 'trial')} there already")
    progress.plan(
        [(cell.task, cell.method, cell.seed) for cell in plan.cells],
        [
            row
            for row in so_far.results
            if row.status == "complete" and row.origin == origins[row.study]
        ],
    )
    publisher.follow(lambda: so_far)
    asked = context.experiment
    database = OptunaDatabase(
        context.store, progress.note, asked.optuna_storage, study_attributes(plan, asked)
    )
    schedule = Schedule(
        tuple(jobs_of(run, plan)), context.store, spaces(context.experiment), database, origins
    )
    for reason, count in schedule.made_otherwise.items():
        progress.note(f"{plural(count, 'record')} made with {reason}: run again")
    with contextlib.closing(database):

        def ready() -> Iterator[Job]:
            """Once the time is up, cells that are there are still timed, and no other begins."""
            return (job for job in schedule.ready() if job.exclusive or not deadline.passed)

        for job, record in sharing.records(executor, schedule, ready, execution):
            if job.kind == "measurement" and record_is_complete(record):
                continue  # the cell was reported when it ended
            if isinstance(record, Trial):
                progress.tried(job.task, job.method, record)
                if not plan.cells:
                    publisher.follow(lambda: assemble(plan, context.store))
            elif isinstance(record, Result):
                progress.finished(record)
                publisher.follow(lambda: assemble(plan, context.store))
                if fail_fast and record.status != "complete":
                    return False
        if next(schedule.ready(), None) is not None:
            return False
    return True


def record_is_complete(record: Record) -> bool:
    """Whether a trial or a cell ended well."""
    return isinstance(record, Trial | Result) and record.status == "complete"


def jobs_of(run: PreparedRun, plan: Plan) -> Iterator[Job]:
    """A plan's trials and cells, in the order of tasks and methods."""
    experiment = run.context.experiment
    counts = trial_counts(experiment)
    for task, prepared in run.tasks.items():
        for method in plan.methods:
            for search in range(searches_of(experiment)):
                digest = run.context.checkpoint.digest
                study = study_of(experiment, prepared, method, digest, search)
                seed, drawn = trial_seed(experiment, search), experiment.search.random_trials
                trials = tuple(trial_jobs(study, task, method, seed, counts[method], drawn))
                yield from trials
                for cell in plan.cells:
                    if cell.study == study:
                        yield cell_job(cell, trials)
                        yield measurement_job(cell)


def _references(execution: Execution, executor: Executor) -> tuple[Reference, ...]:
    """The rows for which nothing is trained, in the order of the tasks."""
    jobs = {job.name: job for job in map(baseline_job, execution.run.tasks)}
    rows: dict[str, tuple[Reference, ...]] = {}

    def ready() -> Iterator[Job]:
        return iter([job for name, job in jobs.items() if name not in rows])

    for pair in executor.run(ready, execution):
        if pair is not None:
            job, record = pair
            assert isinstance(record, tuple)
            rows[job.name] = record
    return tuple(row for name in jobs for row in rows[name])
