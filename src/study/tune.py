"""`tune`: one method's study on one task, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..config import Experiment
from ..files import alone
from ..progress import Progress, Quiet
from ..results import Trial
from .compare import fill_study, ready
from .mirror import Mirror, finish
from .plan import assemble
from .search import best, importances
from .watch import Interrupted


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
    with alone(out):
        bench, prepared, plan = ready(wanted, command, progress, cells=False)
        mirror = Mirror(experiment.tracking_uri, out, progress)
        try:
            mirror.sync(assemble(plan, bench.store), "running")
            study = fill_study(bench, prepared[0], next(iter(plan.methods)), trials)
        except Interrupted as stop:
            finish(plan, bench.store, mirror, "killed")
            raise KeyboardInterrupt from stop
        finish(plan, bench.store, mirror, "finished")
        found = bench.store.trials(study, trials)
        return best(found), importances(bench.store, study), found
