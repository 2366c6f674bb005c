"""The search of a study: what each trial tries.

Trial 0 holds the method's defaults. Every trial is drawn from a study in memory, made from the
records of the trials before it, by a sampler seeded by the study's name and the trial's number: so
a draw depends on nothing else, whoever makes it and whenever. `optuna_database.py` copies the
records to where Optuna's own tools find them.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..analysis.studies import LEAST_FOR_IMPORTANCES
from ..records import Draw, Trial
from .jobs import RANDOM_TRIALS
from .space import Space, packed

TRIAL_NUMBER = "trial"
"""Optuna's user attribute that holds our number: Optuna counts failed attempts too."""


def draw(
    name: str,
    space: Space,
    earlier: Iterable[Trial],
    number: int,
    fixed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The settings that a trial tries.

    Args:
        name: The study's identity.
        space: What is searched.
        earlier: The records of the trials before it, in order.
        number: The trial's number, from 0.
        fixed: Settings that somebody asked for, as Optuna holds them; the others are drawn.

    Returns:
        The method's full settings.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if fixed is None:
        fixed = space.defaults if number == 0 else {}
    study = optuna.create_study(direction="maximize", sampler=sampler(name, number, fixed))
    for record in earlier:
        if record.status == "complete":
            study.add_trial(frozen(record, space))
    trial = study.ask(fixed_distributions=dict(space.searched))
    return space.hyperparameters(trial.params)


def draw_of(earlier: Iterable[Trial], number: int) -> Draw:
    """Where the settings of a trial come from that nobody enqueued; as `draw` has them."""
    if number == 0:
        return "defaults"
    modelled = sum(record.status == "complete" for record in earlier) >= RANDOM_TRIALS
    return "TPE" if modelled else "random"


def sampler(name: str, number: int, fixed: Mapping[str, Any]) -> optuna.samplers.BaseSampler:
    """The trial's own sampler, some settings fixed; every argument that shapes it is written out.

    TPE models what was seen once so many trials are complete; before that it draws at random.
    """
    seed = int.from_bytes(hashlib.sha256(f"{name}/{number}".encode()).digest()[:4], "big")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        drawn = optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, multivariate=True, constant_liar=False, seed=seed
        )
        return optuna.samplers.PartialFixedSampler(dict(fixed), drawn) if fixed else drawn


def frozen(
    record: Trial,
    space: Space,
    attributes: Mapping[str, Any] | None = None,
    by_step: Mapping[int, float] | None = None,
) -> FrozenTrial:
    """A record as Optuna holds a trial that has ended.

    Args:
        record: The trial.
        space: What was searched.
        attributes: What people should know of it besides its number.
        by_step: Optimizer step → validation score.
    """
    complete = record.status == "complete"
    params = held(record, space)
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if complete else TrialState.FAIL,
        params=params,
        distributions={key: space.searched[key] for key in params},
        value=record.score if complete else None,
        user_attrs={TRIAL_NUMBER: record.number, **(attributes or {})},
        intermediate_values=dict(by_step or {}),
    )


def held(record: Trial, space: Space) -> dict[str, Any]:
    """What a trial tried of the searched settings, as Optuna holds it."""
    return {key: packed(record.params[key]) for key in space.searched if key in record.params}


def importances(trials: Iterable[Trial], space: Space) -> dict[str, float]:
    """Each searched setting's share in reaching the best scores, the largest first (PED-ANOVA).

    Computed from the records: what others put into Optuna's database counts for nothing.

    Args:
        trials: The study's trials.
        space: What was searched.

    Returns:
        Shares that add up to 1; empty where fewer than `LEAST_FOR_IMPORTANCES` trials are complete,
        where all scores are equal, and where nothing is searched.
    """
    complete = [record for record in trials if record.status == "complete"]
    scores = {record.score for record in complete}
    if len(complete) < LEAST_FOR_IMPORTANCES or len(scores) < 2 or not space.searched:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    study.add_trials([frozen(record, space) for record in complete])
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
