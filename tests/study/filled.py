"""A study that is filled by a made-up score, without any training."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from tunebench.methods import get_method
from tunebench.records import Trial
from tunebench.store.store import Store
from tunebench.study.jobs import trial_jobs
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.optuna_storage import storage
from tunebench.study.schedule import Schedule
from tunebench.study.search import TRIAL_NUMBER
from tunebench.study.space import as_fields, space

LORA = space(get_method("lora"), {})
TRIALS = 7
"""More than are random, so that the model of what was seen counts too."""


class Stop(Exception):
    """Raised where a process would be gone."""


def fill(
    folder: Path,
    notes: list[str],
    trials: int = TRIALS,
    stop: int | None = None,
    after: bool = False,
    bad: Collection[int] = (),
) -> list[int]:
    """Fill a study by a made-up score; `stop` names a trial at which it is torn down."""

    def trial(params: dict[str, Any], number: int | None) -> Trial:
        assert number is not None
        if number == stop and not after:
            raise Stop
        ran.append(number)
        if number in bad:
            return Trial("study", number, "diverged", params, None, 0.0, "loss is nan")
        value = -((params["lr"] - 2e-3) ** 2) * 1e4 + params["rank"] / 1e3
        return Trial("study", number, "complete", params, value, 0.0)

    ran: list[int] = []
    store = Store(folder)
    put = store.put_trial

    def torn(record: Trial) -> None:
        put(record)
        if record.number == stop and after:
            raise Stop

    store.put_trial = torn
    database = OptunaDatabase(store, notes.append)
    jobs = tuple(trial_jobs("study", "task", "lora", 0, trials))
    schedule = Schedule(jobs, store, {"lora": LORA}, database)
    while (job := next(schedule.ready(), None)) is not None:
        schedule.finish(job, trial(as_fields(job.hyperparameters or {}), job.number))
    database.close()
    return ran


def in_optuna(folder: Path) -> list[tuple[int, dict[str, Any], float | None]]:
    """What Optuna says: each complete trial's settings and value, by our number."""
    database = storage(folder)
    study = optuna.load_study(storage=database, study_name="study")
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    database.engine.dispose()
    return sorted(
        ((t.user_attrs[TRIAL_NUMBER], t.params, t.value) for t in complete),
        key=lambda trial: int(trial[0]),
    )


def kept(folder: Path, trials: int = TRIALS) -> list[tuple[int, dict[str, Any], float | None]]:
    return [(t.number, dict(t.params), t.score) for t in Store(folder).trials("study", trials)]
