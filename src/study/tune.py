"""`tune`: one method's study on one task, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..config import Experiment
from ..files import file_lock
from ..progress import Progress, Quiet
from ..records import Trial
from ..training.watch import Interrupted
from .compare import fill_study, ready
from .plan import assemble
from .publish import Mirror, finish
from .search import best, importances


def tune(
    experiment: Experiment, *, trials: int, progress: Progress | None = None, command: str = ""
) -> tuple[Trial | None, dict[str, float], tuple[Trial, ...]]:
    """Fill a study to so many trials; those that are there count.

    Returns:
        The best trial (none where all failed), each setting's importance, and all trials.

    Raises:
        UserError: Anything wrong with the settings or the data, before any training.
    """
    progress = progress or Quiet()
    wanted = replace(
        experiment, search=replace(experiment.search, trials=trials), seeds=experiment.seeds[:1]
    )
    out = Path(experiment.out)
    with file_lock(out):
        context, prepared, plan = ready(wanted, command, progress, cells=False)
        mirror = Mirror(experiment.tracking_uri, out, progress)
        try:
            mirror.sync(assemble(plan, context.store), "running")
            study = fill_study(context, prepared[0], next(iter(plan.methods)), trials)
        except Interrupted as stop:
            finish(plan, context.store, mirror, "killed")
            raise KeyboardInterrupt from stop
        finish(plan, context.store, mirror, "finished")
        found = context.store.trials(study, trials)
        return best(found), importances(context.store, study), found
