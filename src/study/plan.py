"""What a comparison consists of: which cells, under which identities, and what is there of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config import Experiment
from ..methods._catalogue import compared
from ..records import Comparison, Reference, Result, Trial
from ..store.store import Plan, PlannedCell, Store, identity

if TYPE_CHECKING:
    from ..training.prepare import Prepared


def methods_of(experiment: Experiment) -> Mapping[str, Mapping[str, Any]]:
    """The methods to compare with their settings; where none is named, the usual ones."""
    return experiment.methods or {name: {} for name in compared()}


def study_of(experiment: Experiment, prepared: Prepared, method: str, backbone: str) -> str:
    """A study's identity: everything that decides what a trial gives, but how many there are."""
    search = dataclasses.asdict(experiment.search)
    shaping = {key: value for key, value in search.items() if key not in ("trials", "epochs")}
    train = dataclasses.asdict(experiment.train) | {"threads": 0}
    return identity(
        f"{prepared.task.name}-{method}",
        __version__,
        prepared.data.digest,
        backbone,
        [experiment.backbone.pooling, experiment.data.max_length, list(experiment.seeds[:1])],
        train,
        shaping,
        methods_of(experiment)[method],
        *([] if prepared.verbalizer is None else [prepared.verbalizer.content]),
    )


def cells_of(experiment: Experiment, study: str, task: str, method: str) -> tuple[PlannedCell, ...]:
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
        for seed in experiment.seeds
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
) -> Plan:
    """The plan of a comparison, or without `cells` of its studies alone; its id is its content."""
    studies: list[str] = []
    planned: list[PlannedCell] = []
    for task in prepared:
        for method in methods_of(experiment):
            study = study_of(experiment, task, method, backbone)
            studies.append(study)
            if cells:
                planned += cells_of(experiment, study, task.task.name, method)
    content = [cell.cell for cell in planned] or [*studies, str(experiment.search.trials)]
    return Plan(
        id=identity("comparison", content),
        experiment=dataclasses.asdict(experiment),
        tasks=tuple(task.task.name for task in prepared),
        methods=tuple(methods_of(experiment)),
        seeds=experiment.seeds if cells else (),
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
    )


def remarks(prepared: Prepared) -> tuple[str, ...]:
    """What a reader should know of a task's data."""
    cut = prepared.truncated
    more = (f"{cut} texts were cut to the longest allowed length",) if cut else ()
    return (*prepared.data.notes, *more)


def assemble(plan: Plan, store: Store) -> Comparison:
    """A comparison as it stands: every planned cell, those not yet run as `missing`."""
    results = tuple(store.result(cell.cell) or _missing(cell, plan) for cell in plan.cells)
    trials = tuple(t for study in plan.studies for t in store.trials(study, plan.trials))
    return Comparison(
        id=plan.id,
        experiment=plan.experiment,
        tasks=plan.tasks,
        methods=plan.methods,
        seeds=plan.seeds,
        sources=plan.sources,
        notes=_notes(plan, trials),
        results=results,
        references=plan.references,
        trials=trials,
        command=plan.command,
        created=plan.created,
        left_out=plan.left_out,
    )


def _notes(plan: Plan, trials: Sequence[Trial]) -> dict[str, tuple[str, ...]]:
    """The plan's notes on each task, and how many trials failed there."""
    place = {cell.study: (cell.task, cell.method) for cell in plan.cells}
    of = Counter(trial.study for trial in trials)
    failed = Counter(trial.study for trial in trials if trial.status != "complete")
    notes = dict(plan.notes)
    for study, count in failed.items():
        if study in place:
            task, method = place[study]
            note = f"{method}: {count} of {of[study]} trials failed"
            notes[task] = (*notes.get(task, ()), note)
    return notes


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
