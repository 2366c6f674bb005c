"""What a comparison consists of: which cells, under which identities, and what is there of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config import Experiment
from ..methods._catalogue import compared
from ..records import Comparison, Reference, Result, Study
from ..store.store import Plan, PlannedCell, Store, identity
from .init_from import content_of
from .jobs import RANDOM_TRIALS, search_of, searches_of

if TYPE_CHECKING:
    from ..training.prepare import Prepared


def methods_of(experiment: Experiment) -> Mapping[str, Mapping[str, Any]]:
    """The methods to compare with their settings; where none is named, the usual ones."""
    return experiment.methods or {name: {} for name in compared()}


def study_of(
    experiment: Experiment, prepared: Prepared, method: str, backbone: str, search: int = 0
) -> str:
    """A study's identity: everything that decides what a trial gives, but how many there are.

    `search` tells several studies of a method and task apart; the first has the name that it has
    where there is only one.
    """
    settings = dataclasses.asdict(experiment.search)
    without = ("trials", "epochs", "studies")
    shaping = {key: value for key, value in settings.items() if key not in without}
    if shaping["random_trials"] == RANDOM_TRIALS:
        del shaping["random_trials"]  # studies from before there was a choice keep their names
    train = dataclasses.asdict(experiment.train) | {"threads": 0}
    del train["devices"]  # belongs to the environment, as threads do
    return identity(
        f"{prepared.task.name}-{method}" + (f"-search{search + 1}" if search else ""),
        __version__,
        prepared.data.digest,
        backbone,
        [
            experiment.backbone.pooling,
            experiment.data.max_length,
            list(experiment.seeds[search : search + 1]),
        ],
        train,
        shaping,
        content_of(method, methods_of(experiment)[method]),
        *([] if prepared.verbalizer is None else [prepared.verbalizer.content]),
        *([["search", search]] if search else []),
    )


def cells_of(
    experiment: Experiment, study: str, task: str, method: str, seeds: Sequence[int]
) -> tuple[PlannedCell, ...]:
    """A study's cells, one a seed; the winner depends on how many trials there were."""
    search = experiment.search
    return tuple(
        PlannedCell(
            identity(f"{task}-{method}-seed{seed}", study, search.trials, search.epochs, seed),
            study,
            task,
            method,
            seed,
        )
        for seed in seeds
    )


def plan_of(
    experiment: Experiment,
    prepared: Sequence[Prepared],
    backbone: str,
    references: tuple[Reference, ...],
    command: str,
    *,
    cells: bool = True,
    left_out: Mapping[str, str] | None = None,
    inputs: str = "",
    counts: Mapping[tuple[str, str], int] | None = None,
    trials: Mapping[str, int] | None = None,
) -> Plan:
    """The plan of a comparison, or without `cells` of its studies alone; its id is its content.

    How many trials a study has decides its winner, and so the cells; studies by themselves go on
    in the same place when more trials are asked for. With `counts`, how many seeds a method on a
    task has (0, 1, 2, …) is found look by look: the comparison is the same one at each look.
    `trials` has the number of each method's trials, where it is known.
    """
    studies: list[Study] = []
    planned: list[PlannedCell] = []
    for task in prepared:
        for method in methods_of(experiment):
            name = task.task.name
            searches = [
                Study(
                    study_of(experiment, task, method, backbone, number),
                    name,
                    method,
                    len(task.validation.rows),
                    task.objective.metric_name(task.task),
                    (trials or {}).get(method),
                    number=number,
                )
                for number in range(searches_of(experiment))
            ]
            studies += searches
            if cells:
                seeds = experiment.seeds if counts is None else range(counts[name, method])
                for i, seed in enumerate(seeds):
                    study = searches[search_of(experiment, i)].study
                    planned += cells_of(experiment, study, name, method, [seed])
    content: list[Any] = [cell.cell for cell in planned] or [one.study for one in studies]
    if counts is not None:
        search = experiment.search
        content = [experiment.until, experiment.margin, search.trials, search.epochs]
        content += [one.study for one in studies]
    return Plan(
        id=identity("comparison" if cells else "study", content),
        experiment=dataclasses.asdict(experiment),
        tasks=tuple(task.task.name for task in prepared),
        methods=tuple(methods_of(experiment)),
        seeds=tuple(dict.fromkeys(cell.seed for cell in planned)),
        trials=experiment.search.trials,
        sources={task.task.name: task.data.source for task in prepared},
        notes={task.task.name: remarks(task) for task in prepared},
        cells=tuple(planned),
        studies=tuple(studies),
        references=references,
        command=command,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        left_out=left_out or {},
        inputs=inputs,
        folds={task.task.name: fold for task in prepared if (fold := task.data.fold)},
    )


def remarks(prepared: Prepared) -> tuple[str, ...]:
    """What a reader should know of a task's data."""
    cut = prepared.truncated
    more = (f"{cut} texts were cut to the longest allowed length",) if cut else ()
    return (*prepared.data.notes, *more)


def assemble(plan: Plan, store: Store) -> Comparison:
    """A comparison as it stands: every planned cell, those not yet run as `missing`.

    Of studies by themselves every trial is there, also those of a run that asked for more.
    """
    results = tuple(store.result(cell.cell) or _missing(cell, plan) for cell in plan.cells)
    names = [one.study for one in plan.studies]
    trials = tuple(
        trial
        for name in names
        for trial in (store.trials(name, plan.trials) if plan.cells else store.all_trials(name))
    )
    return Comparison(
        id=plan.id,
        experiment=plan.experiment,
        tasks=plan.tasks,
        methods=plan.methods,
        seeds=plan.seeds,
        sources=plan.sources,
        notes=plan.notes,
        results=results,
        references=plan.references,
        trials=trials,
        studies=plan.studies,
        command=plan.command,
        created=plan.created,
        left_out=plan.left_out,
        folds=plan.folds,
        retention=store.retention(cell.cell for cell in plan.cells),
    )


def _missing(cell: PlannedCell, plan: Plan) -> Result:
    return Result(
        cell=cell.cell,
        study=cell.study,
        task=cell.task,
        method=cell.method,
        seed=cell.seed,
        status="missing",
        reason="not run yet",
        data_source=plan.sources[cell.task],
    )
