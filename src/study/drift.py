"""`drift`: the cells of a finished comparison trained again in today's environment.

Nothing of the comparison is overwritten: a second record of a cell lies under `drift/`, beside its
answers, and the tables stay those of the first. What is there already is not trained again.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..analysis import read_from
from ..analysis.drift import Drift, drifts, environment_of, is_copy, rerun, same_run
from ..config import Experiment, TrainSettings
from ..data.load import load_tasks
from ..data.tasks import TaskData, task_names
from ..errors import UnknownName, UserError
from ..files import file_lock
from ..methods import get_method, names
from ..progress import Progress
from ..records import Result
from ..report.live import default_progress
from ..store.store import PlannedCell, Store, require_plan
from ..validation import under, validated
from .plan import assemble

if TYPE_CHECKING:
    from ..training.prepare import Prepared


@dataclass(frozen=True)
class Drifted:
    """What training some cells again showed."""

    groups: Mapping[tuple[str, ...], tuple[Drift, ...]]
    """In what the two environments differ → how far each method moved."""
    failed: tuple[Result, ...]
    """Cells that did not complete this time; no record is kept of them."""


def drift(
    out: Path,
    *,
    tasks: Collection[str] = (),
    methods: Collection[str] = (),
    seeds: Collection[int] = (),
    train: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Drifted:
    """Train cells of the last comparison again, and compare both records of each.

    Args:
        out: The folder of results.
        tasks: Only these tasks, or folds; empty means all.
        methods: Only these methods; empty means all.
        seeds: Only these seeds; empty means all.
        train: Settings of the environment that differ from the comparison's: `threads`,
            `accelerator`.
        progress: Hears what happens.

    Raises:
        UserError: There is no such cell; data, backbone or template are not those of the
            comparison, so that more than the environment would differ.
        KeyboardInterrupt: The process was asked to stop; what is finished is kept.
    """
    progress = progress or default_progress()
    with file_lock(out):
        store = Store(out)
        comparison = assemble(require_plan(store), store)
        rows = _selected(comparison.results, tasks, methods, seeds)
        experiment = _experiment(comparison.experiment, train or {})
        failed = tuple(_train(rows, experiment, store, progress))
    read = read_from(out)
    pairs = [rerun(row, other, read) for row in rows for other in store.reruns(row.cell)]
    return Drifted(drifts(filter(None, pairs), comparison.results), failed)


def _selected(
    results: Sequence[Result],
    tasks: Collection[str],
    methods: Collection[str],
    seeds: Collection[int],
) -> list[Result]:
    """The complete cells that are meant."""
    for kind, wanted, there in (
        ("task", tasks, [row.task for row in results]),
        ("method", methods, [row.method for row in results]),
        ("seed", seeds, [row.seed for row in results]),
    ):
        for one in wanted:
            if one not in there:
                known = list(dict.fromkeys(map(str, there)))
                raise UnknownName(f"{kind} of the comparison", str(one), known)
    rows = [
        row
        for row in results
        if row.status == "complete"
        and (not tasks or row.task in tasks)
        and (not methods or row.method in methods)
        and (not seeds or row.seed in seeds)
    ]
    if not rows:
        raise UserError("none of these cells is complete, so that nothing can be run again")
    unknown = [row.method for row in rows if row.method not in names()]
    if unknown:
        raise UnknownName("method", unknown[0], names())
    return rows


def _experiment(recorded: Mapping[str, object], train: Mapping[str, object]) -> Experiment:
    """The comparison's settings, but for what belongs to the environment."""
    experiment = validated(Experiment, dict(recorded), ".".join)
    assert isinstance(experiment, Experiment)
    settings = dataclasses.asdict(experiment.train) | dict(train)
    changed = validated(TrainSettings, settings, under(".".join, "train"))
    return replace(experiment, tracking_uri=None, optuna_storage=None, train=changed)


def _train(
    rows: Sequence[Result], experiment: Experiment, store: Store, progress: Progress
) -> Iterator[Result]:
    """Train what no record of today's environment is there of; gives those that failed."""
    from ..training.environment import environment
    from .jobs import cell_job, execute, plain
    from .prepare_run import prepare_run
    from .space import as_fields

    data = _data(rows, experiment, progress)
    made = [get_method(row.method)(**as_fields(row.hyperparameters)) for row in rows]
    with tempfile.TemporaryDirectory() as nowhere:
        run = prepare_run(experiment, Store(Path(nowhere)), progress, data=data, methods=made)
        # Another latency is another machine's, and says nothing of scores.
        run = replace(run, context=replace(run.context, measures_latency=False))
        device = run.context.base_model.embedding.weight.device
        for row in rows:
            _check_same(row, run.tasks[row.task], run.context.checkpoint.digest)
        waiting = [
            row
            for row in rows
            if not _is_known(
                row,
                environment(run.origin(row.task, row.method), device, experiment.train.devices),
                store.reruns(row.cell),
            )
        ]
        done = [row for row in rows if row not in waiting]
        progress.plan([(row.task, row.method, row.seed) for row in rows], done)
        for row in waiting:
            planned = PlannedCell(row.cell, row.study, row.task, row.method, row.seed)
            job = replace(
                cell_job(planned, ()),
                number=row.best_trial,
                hyperparameters=plain(row.hyperparameters),
                validation_score=row.validation_score,
            )
            record = execute(job, run)
            assert isinstance(record, Result)
            progress.finished(record)
            if record.status == "complete":
                store.put_rerun(record, Path(nowhere))
                (Path(nowhere) / record.adapter).unlink()
            else:
                yield record


def _data(rows: Sequence[Result], experiment: Experiment, progress: Progress) -> list[TaskData]:
    """The tasks of these cells, which must have the rows that they had."""
    wanted = list(dict.fromkeys(row.task for row in rows))
    # A suite need not be read as a whole; what has no name of its own is read as it was asked for.
    asked = wanted if set(wanted) <= {*task_names()} else list(experiment.tasks)
    loaded = {one.task.name: one for one in load_tasks(asked, experiment.data, say=progress.note)}
    for row in rows:
        if row.task not in loaded or loaded[row.task].digest != row.data_digest:
            raise UserError(
                f"{row.task}: the data that are read now are not those of the comparison, so that "
                "more than the environment would differ"
            )
    return [loaded[name] for name in wanted]


def _check_same(row: Result, prepared: Prepared, digest: str) -> None:
    """Refuse a cell of which more than the environment would differ."""
    if row.backbone_digest != digest:
        raise UserError(
            f"{row.backbone}: the weights that are read now are not those of the comparison, so "
            "that more than the environment would differ"
        )
    template = "" if prepared.verbalizer is None else prepared.verbalizer.template.written
    if row.template != template:
        raise UserError(
            f"{row.task}: the template that is chosen now, {template!r}, is not the comparison's "
            f"({row.template!r}), so that more than the environment would differ"
        )


def _is_known(row: Result, today: Mapping[str, str], others: Sequence[Result]) -> bool:
    """Whether what there is of a cell tells already how it does in today's environment."""
    same = [one for one in others if same_run(row, one) and not is_copy(row, one)]
    if any(environment_of(one) == today for one in same):
        return True
    return bool(same) and environment_of(row) == today
