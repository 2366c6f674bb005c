"""`compare`: every cell of an experiment that is not there yet, then the tables.

Results go to the store first, from there to MLflow and the report, so that losing either of those
loses nothing. Running the same experiment again does only what is missing; where nothing is
missing, neither torch nor Optuna nor MLflow is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..config import Experiment
from ..data.load import load_tasks
from ..data.tasks import TaskData
from ..files import file_lock
from ..progress import Progress
from ..records import Comparison
from ..report.live import default_progress
from . import executors
from .checks import check_data, check_settings_of
from .completed import find_completed
from .init_from import with_sources


def compare(
    experiment: Experiment,
    *,
    data: Sequence[TaskData] | None = None,
    command: str = "",
    progress: Progress | None = None,
    fail_fast: bool = False,
) -> Comparison:
    """Run every missing cell, and write store, MLflow and report.

    Args:
        experiment: What to compare.
        data: The experiment's tasks, where they are loaded already.
        command: The line that a reader types to repeat it.
        progress: Hears what happens; without one a notebook shows a line for each cell, and a
            script nothing.
        fail_fast: Stop at the first cell that does not complete.

    Returns:
        The comparison, every planned cell in it.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
        KeyboardInterrupt: The process was asked to stop; what is finished is kept.
    """
    progress = progress or default_progress()
    check_settings_of(experiment)
    with file_lock(Path(experiment.out)):
        experiment = with_sources(experiment, progress)
        if data is None:
            data = load_tasks(experiment.tasks, experiment.data, say=progress.note)
        check_data(experiment, data)
        completed = find_completed(experiment, data)
        if completed is not None:
            rows = completed.results
            progress.plan([(row.task, row.method, row.seed) for row in rows], rows)
            return completed
        executors.check_reachable(experiment)
        from .runner import run_comparison

        return run_comparison(experiment, data, command, progress, fail_fast=fail_fast)
