"""`run_once`: one method with fixed settings on one task, without Optuna and without MLflow."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from ..config import Experiment
from ..data.load import load_tasks
from ..errors import UserError
from ..methods.base import Method
from ..progress import Progress
from ..records import Result
from ..report.live import default_progress
from ..store.store import PlannedCell, Store
from .checks import backbone_config, check_data, check_run_settings
from .init_from import METHOD, SETTING, check_source
from .jobs import cell_job, execute, plain
from .prepare_run import prepare_run


def run_once(
    task: str,
    method: Method,
    *,
    seed: int = 0,
    experiment: Experiment | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Train a method with the settings it has, test it, fold it and measure it.

    Args:
        task: A task's name, or a file of your own.
        method: Such as `get_method("lora")(rank=8)`.
        seed: Fixes the head's start, the method's start and the order of the data.
        experiment: Backbone, data, training and `search.epochs`; the defaults where none is given.
        out: Where adapter and predictions are kept; none throws them away.
        progress: Hears what happens.

    Returns:
        The row that a comparison would hold for these settings; its `status` and `reason` say
        whether it completed.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
        KeyboardInterrupt: The run was asked to stop.
    """
    experiment = replace(experiment or Experiment(), tasks=(task,))
    if experiment.data.folds is not None:
        raise UserError("data.folds: is for compare, since run_once trains one run")
    check_run_settings(experiment)
    backbone_config(experiment)
    progress = progress or default_progress()
    source = method.hyperparameters().get(SETTING)
    if method.name == METHOD and source:
        check_source(source, experiment.backbone)
    data = load_tasks(experiment.tasks, experiment.data, say=progress.note)
    check_data(experiment, data)
    with tempfile.TemporaryDirectory() as nowhere:
        run = prepare_run(
            experiment, Store(Path(out or nowhere)), progress, data=data, methods=[method]
        )
        (name,) = run.tasks
        cell = PlannedCell(f"{name}-{method.name}-seed{seed}", "once", name, method.name, seed)
        job = replace(cell_job(cell, ()), hyperparameters=plain(method.hyperparameters()))
        row = execute(job, run)
        assert isinstance(row, Result)
        run.context.store.drop_unfinished(job.writes)
        return row
