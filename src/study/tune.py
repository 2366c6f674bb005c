"""`tune`: one method's study on one task, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..analysis.studies import best_trial
from ..config import Experiment
from ..data.load import load_tasks
from ..errors import UserError
from ..files import file_lock
from ..progress import Progress
from ..records import Comparison, Trial
from ..report.live import default_progress
from . import executors
from .checks import check_data, check_settings_of
from .init_from import with_sources


@dataclass(frozen=True)
class Tuning:
    """What a search gave."""

    comparison: Comparison
    """The study as it is shown: its trials, and no cells."""

    @property
    def importances(self) -> Mapping[str, float]:
        """Each searched setting's share in reaching the best scores; empty for too few trials."""
        return self.comparison.studies[0].importances

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial that is there, also those of an earlier run that asked for more."""
        return self.comparison.trials

    @property
    def best(self) -> Trial | None:
        """The complete trial with the highest validation score; none where all failed."""
        return best_trial(self.trials)


def tune(
    experiment: Experiment, *, trials: int, progress: Progress | None = None, command: str = ""
) -> Tuning:
    """Fill a study to so many trials; those that are there count.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
        KeyboardInterrupt: The process was asked to stop; what is finished is kept.
    """
    if experiment.data.folds is not None:
        raise UserError("data.folds: is for compare, since tune tests nothing")
    progress = progress or default_progress()
    wanted = replace(
        experiment, search=replace(experiment.search, trials=trials), seeds=experiment.seeds[:1]
    )
    check_settings_of(wanted)
    out = Path(experiment.out)
    with file_lock(out):
        wanted = with_sources(wanted, progress)
        data = load_tasks(wanted.tasks, wanted.data, say=progress.note)
        check_data(wanted, data)
        executors.check_reachable(wanted)
        # Only now, since torch, MLflow and Optuna take seconds to import.
        from .runner import run_comparison

        return Tuning(run_comparison(wanted, data, command, progress, cells=False))
