"""`tune`: one method's study on one task, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..config import Experiment
from ..data.load import load_tasks
from ..files import file_lock
from ..progress import Progress
from ..records import Trial
from ..report.live import default_progress
from ..store.store import Store
from .checks import check_data, check_settings_of


def tune(
    experiment: Experiment, *, trials: int, progress: Progress | None = None, command: str = ""
) -> tuple[Trial | None, dict[str, float], tuple[Trial, ...]]:
    """Fill a study to so many trials; those that are there count.

    Returns:
        The best trial (none where all failed), each setting's importance, and all trials.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
        KeyboardInterrupt: The process was asked to stop; what is finished is kept.
    """
    progress = progress or default_progress()
    wanted = replace(
        experiment, search=replace(experiment.search, trials=trials), seeds=experiment.seeds[:1]
    )
    check_settings_of(wanted)
    out = Path(experiment.out)
    with file_lock(out):
        data = load_tasks(wanted.tasks, wanted.data, say=progress.note)
        check_data(wanted, data)
        # Only now, since torch, MLflow and Optuna take seconds to import.
        from .runner import run_comparison
        from .search import best, importances

        comparison = run_comparison(wanted, data, command, progress, cells=False)
        study = comparison.trials[0].study if comparison.trials else ""
        shares = importances(Store(out), study) if study else {}
        return best(comparison.trials), shares, comparison.trials
