"""`compare`: every cell of an experiment that is not there yet, then the tables.

Results go to the store first, from there to MLflow and the report, so that losing either of those
loses nothing. Running the same experiment again does only what is missing.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..baselines.rows import references
from ..checkpoints.load import digest, load_backbone
from ..config import Experiment
from ..data.load import load_tasks
from ..data.text.tokens import load_tokenizer
from ..errors import UserError
from ..files import file_lock
from ..methods import get_method
from ..progress import Progress, Quiet
from ..records import Comparison, Result, Status
from ..store.store import Plan, PlannedCell, Store
from ..tracking import Phase
from ..training.context import RunContext
from ..training.device import device_of
from ..training.prepare import Prepared, check_room, prepare
from ..training.verbalizer import max_soft_tokens, verbalizers
from ..training.watch import Interrupted
from .candidates import attachable, candidates, spaces
from .cell import blank, run_cell, run_trial
from .plan import assemble, cells_of, plan_of, study_of
from .publish import Mirror, finish
from .search import best, search
from .space import as_fields


def compare(
    experiment: Experiment,
    *,
    command: str = "",
    progress: Progress | None = None,
    fail_fast: bool = False,
) -> Comparison:
    """Run every missing cell, and write store, MLflow and report.

    Args:
        experiment: What to compare.
        command: The line that a reader types to repeat it.
        progress: Told what happens.
        fail_fast: Stop at the first cell that does not complete.

    Returns:
        The comparison, every planned cell in it.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
    """
    progress, out = progress or Quiet(), Path(experiment.out)
    with file_lock(out):
        context, prepared, plan = ready(experiment, command, progress)
        mirror = Mirror(experiment.tracking_uri, out, progress)
        progress.plan(
            [(cell.task, cell.method, cell.seed) for cell in plan.cells],
            [row for row in assemble(plan, context.store).results if row.status == "complete"],
        )
        status: Phase = "killed"
        try:
            mirror.sync(assemble(plan, context.store), "running")
            whole = _run(context, prepared, plan, mirror, fail_fast)
            status = "finished" if whole else "killed"
        except Interrupted as stop:
            raise KeyboardInterrupt from stop
        except UserError:
            status = "failed"
            raise
        finally:
            comparison = finish(plan, context.store, mirror, status)
    return comparison


def ready(
    experiment: Experiment, command: str, progress: Progress, *, cells: bool = True
) -> tuple[RunContext, tuple[Prepared, ...], Plan]:
    """Everything that can go wrong by the user's hand, before any training."""
    _use_threads(experiment)
    device = device_of(experiment)
    store, name = Store(Path(experiment.out)), experiment.backbone.name
    spaces(experiment)
    data = load_tasks(experiment.tasks, experiment.data, say=progress.note)
    tokenizer = load_tokenizer(name)
    base_model = load_backbone(name, layers=experiment.backbone.layers).to(device)
    base_model.implementation = experiment.backbone.attention
    experiment, left_out = attachable(experiment, base_model.cfg)
    for unfit, why in left_out.items():
        progress.note(f"{unfit}: left out, {why}")
    posed = [verbalizers(task.task, experiment, tokenizer, base_model) for task in data]
    soft_tokens = max_soft_tokens(posed)
    identity = digest(name, experiment.backbone.layers)
    context = RunContext(experiment, base_model, identity, tokenizer, store, progress)
    wanted = [
        method
        for boundary_settings in candidates(experiment).values()
        for method in boundary_settings
    ]
    for method in wanted:
        check_room(method, base_model.cfg, experiment, soft_tokens)
    prepared = tuple(prepare(task, context, found) for task, found in zip(data, posed, strict=True))
    for task in prepared:
        for method in wanted:
            method.prepare(task.ids, task.task.labels)
    untrained = tuple(row for task in prepared for row in references(task, context))
    plan = plan_of(
        experiment, prepared, identity, untrained, command, cells=cells, left_out=left_out
    )
    store.put_plan(plan)
    _settle()
    return context, prepared, plan


def _settle() -> None:
    """What is loaded by now stays: the collections after each run need not walk through it."""
    gc.collect()
    gc.freeze()


def fill_study(context: RunContext, prepared: Prepared, method: str, trials: int) -> str:
    """Fill a study's trials; returns its identity."""
    experiment = context.experiment
    study = study_of(experiment, prepared, method, context.backbone_digest)

    def run(params: Mapping[str, Any], number: int) -> Any:
        context.progress.phase(prepared.task.name, method, f"trial {number + 1} of {trials}")
        instance = get_method(method)(**params)
        check_room(
            instance, context.base_model.cfg, experiment, max_soft_tokens([prepared.verbalizers])
        )
        return run_trial(context, prepared, instance, study=study, number=number)

    found = spaces(experiment)[method]
    search(context.store, study, found, 1 if not found.searched else trials, run)
    return study


def _run(
    context: RunContext, prepared: tuple[Prepared, ...], plan: Plan, mirror: Mirror, fail_fast: bool
) -> bool:
    """Fill what is missing; false where it stopped at a cell that did not complete."""
    for task in prepared:
        for method in plan.methods:
            study = study_of(context.experiment, task, method, context.backbone_digest)
            cells = cells_of(context.experiment, study, task.task.name, method)
            done = {c.cell for c in cells if _complete(context.store.result(c.cell))}
            for row in _fill_cells(context, task, method, cells, done):
                context.progress.finished(row)
                mirror.sync(assemble(plan, context.store), "running")
                if fail_fast and row.status != "complete":
                    return False
    return True


def _complete(row: Result | None) -> bool:
    return row is not None and row.status == "complete"


def _fill_cells(
    context: RunContext, task: Prepared, method: str, cells: tuple[PlannedCell, ...], done: set[str]
) -> Any:
    count = context.experiment.search.trials
    study = fill_study(context, task, method, count)
    trials = context.store.trials(study, count)
    winner = best(trials)
    for planned in (cell for cell in cells if cell.cell not in done):
        context.progress.phase(task.task.name, method, f"seed {planned.seed}")
        if winner is None:
            reason = "; ".join(dict.fromkeys(t.reason for t in trials))
            status: Status = "diverged" if all(t.status == "diverged" for t in trials) else "error"
            row = replace(blank(context, task, planned), status=status)
            row = replace(row, reason=f"0 of {len(trials)} trials complete: {reason}")
        else:
            instance = get_method(method)(**as_fields(winner.params))
            row = run_cell(context, task, instance, planned, winner)
        context.store.put_result(row)
        yield row


def _use_threads(experiment: Experiment) -> None:
    torch.set_num_threads(experiment.train.threads or len(os.sched_getaffinity(0)))
