"""An Optuna study for each task × method: trials that are filled once, whatever happens between.

Trial 0 holds the method's defaults. Each trial draws from a sampler seeded by the study and its
number, so that a study that was stopped and resumed draws what an undisturbed one draws. A record
goes to the store first; Optuna's database is brought to it, never the other way.
"""

from __future__ import annotations

import hashlib
import sqlite3
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event

from ..records import Trial
from ..store.store import Store
from .space import Space, packed

RANDOM_SLOTS = 4
"""So many trials are random before TPE models what was seen."""
TRIAL_NUMBER = "trial"
"""Optuna's user attribute that holds our number: Optuna counts failed attempts too."""
Run = Callable[[Mapping[str, Any], int], Trial]
"""Hyperparameters and trial → the trial's record."""


def storage(out: Path) -> optuna.storages.RDBStorage:
    """Optuna's SQLite database of an output folder."""
    engine = {"connect_args": {"timeout": 60}}
    database = optuna.storages.RDBStorage(f"sqlite:///{out / 'optuna.db'}", engine_kwargs=engine)
    event.listen(database.engine, "connect", _unhurried)
    database.engine.dispose()
    return database


def _unhurried(connection: sqlite3.Connection, _: object) -> None:
    """Wait for the disk at checkpoints only: what a power cut takes, the store gives back."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def search(store: Store, name: str, space: Space, trials: int, run: Run) -> tuple[Trial, ...]:
    """Fill the study's trials; those in the store are not run again."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = reconcile(store, name)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    known = {trial.user_attrs[TRIAL_NUMBER] for trial in complete}
    number = 0
    while (record := store.trial(name, number)) is not None or number < trials:
        if record is None:
            _fill(study, store, space, number, run)
        elif record.status == "complete" and number not in known:
            study.add_trial(_frozen(record, space))
        number += 1
    return store.trials(name, trials)


def best(trials: tuple[Trial, ...]) -> Trial | None:
    """The complete trial with the highest validation score, the earliest of equals."""
    complete = [trial for trial in trials if trial.status == "complete"]
    return max(complete, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)


def reconcile(store: Store, name: str) -> optuna.Study:
    """The study in Optuna's database, saying nothing that the store does not.

    Trials that no process runs are ended. Optuna cannot take a trial back, so a study that tells
    of trials otherwise than the store is dropped, and made again trial by trial.
    """
    database = storage(store.out)
    study = _opened(database, name)
    for trial in study.get_trials(deepcopy=False):
        if not trial.state.is_finished():
            number = trial.user_attrs.get(TRIAL_NUMBER)
            _tell(study, trial.number, None if number is None else store.trial(name, number))
    if _contradicts(study, store, name):
        optuna.delete_study(study_name=name, storage=database)
        study = _opened(database, name)
    return study


def _opened(database: optuna.storages.RDBStorage, name: str) -> optuna.Study:
    return optuna.create_study(
        storage=database, study_name=name, direction="maximize", load_if_exists=True
    )


def _contradicts(study: optuna.Study, store: Store, name: str) -> bool:
    """Whether a trial has two values, another value than in the store, or comes out of order."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    trials = [int(trial.user_attrs[TRIAL_NUMBER]) for trial in complete]
    records = [store.trial(name, number) for number in trials]
    same = all(r is not None and r.score == t.value for r, t in zip(records, complete, strict=True))
    return not same or trials != sorted(set(trials))


def importances(store: Store, name: str) -> dict[str, float]:
    """Each searched setting's importance for the score; empty where nothing can be said."""
    study = optuna.load_study(storage=storage(store.out), study_name=name)
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len({trial.value for trial in complete}) < 2:
        return {}
    return dict(optuna.importance.get_param_importances(study))


def sampler(name: str, number: int, fixed: Mapping[str, Any]) -> optuna.samplers.BaseSampler:
    """The trial's own sampler, some settings fixed; every argument that shapes it is written out.

    A trial that was enqueued for later could be left behind by a process that was killed.
    """
    seed = int.from_bytes(hashlib.sha256(f"{name}/{number}".encode()).digest()[:4], "big")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawn = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_SLOTS, multivariate=True, constant_liar=False, seed=seed
        )
        return optuna.samplers.PartialFixedSampler(dict(fixed), drawn) if fixed else drawn


def _fill(study: optuna.Study, store: Store, space: Space, number: int, run: Run) -> None:
    study.sampler = sampler(study.study_name, number, space.defaults if number == 0 else {})
    trial = study.ask(fixed_distributions=dict(space.searched))
    trial.set_user_attr(TRIAL_NUMBER, number)
    record = run(space.hyperparameters(trial.params), number)
    store.put_trial(record)
    _tell(study, trial.number, record)


def _tell(study: optuna.Study, number: int, record: Trial | None) -> None:
    """Give a running trial the state that its record proves."""
    if record is not None and record.status == "complete":
        study.tell(number, record.score)
    else:
        study.tell(number, state=TrialState.FAIL)


def _frozen(record: Trial, space: Space) -> FrozenTrial:
    params = {key: packed(record.params[key]) for key in space.searched}
    return optuna.trial.create_trial(
        params=params,
        distributions=dict(space.searched),
        value=record.score,
        user_attrs={TRIAL_NUMBER: record.number},
    )
