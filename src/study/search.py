"""The search of a study: what each trial tries, and Optuna's database beside the store.

Trial 0 holds the method's defaults. Every trial is drawn from a study in memory, made from the
records of the trials before it, by a sampler seeded by the study's name and the trial's number: so
a draw depends on nothing else, whoever makes it and whenever. `optuna.db` is a copy of the records
for Optuna's own tools: it is brought to the store, and where it cannot be read it is set aside.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from ..analysis.studies import LEAST_FOR_IMPORTANCES
from ..files import is_out_of_reach, set_aside
from ..records import Draw, Trial
from ..store.store import Store
from ..text import redact
from ..tracking.address import owner_of
from ..tracking.postgresql import PATIENCE_S, secrets_of, server_lock
from .jobs import RANDOM_TRIALS
from .space import Space, packed

DATABASE = "optuna.db"
METRIC = "validation score"
"""What Optuna's tools call a trial's value."""
TRIAL_NUMBER = "trial"
"""Optuna's user attribute that holds our number: Optuna counts failed attempts too."""
UNREADABLE = (
    SQLAlchemyError,
    sqlite3.Error,
    optuna.exceptions.OptunaError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)
"""What Optuna raises on a file that is cut, garbled, or of another version's schema: a value that
is no number, a name that no list has."""


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


def frozen(record: Trial, space: Space, *, shown: bool = False) -> FrozenTrial:
    """A record as Optuna holds a trial that has ended.

    Args:
        record: The trial.
        space: What was searched.
        shown: Whether for people to look at: with its validation score after each epoch.
    """
    complete = record.status == "complete"
    params = {key: packed(record.params[key]) for key in space.searched if key in record.params}
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if complete else TrialState.FAIL,
        params=params,
        distributions={key: space.searched[key] for key in params},
        value=record.score if complete else None,
        user_attrs={TRIAL_NUMBER: record.number},
        intermediate_values=_by_epoch(record) if shown else None,
    )


def _by_epoch(record: Trial) -> dict[int, float]:
    """Optimizer step at the end of an epoch → validation score; empty for trials of one epoch."""
    curve = record.curve
    points = zip(curve.epochs, curve.validation, strict=False)
    return {step: score for step, score in points if math.isfinite(score)}


def number_of(trial: FrozenTrial) -> int | None:
    """Our number of a trial in Optuna's database; none where somebody else added it."""
    number = trial.user_attrs.get(TRIAL_NUMBER)
    return number if isinstance(number, int) else None


def storage(out: Path, uri: str | None = None) -> optuna.storages.RDBStorage:
    """Optuna's SQLite database of an output folder, or a PostgreSQL database.

    Raises:
        SQLAlchemyError: The server does not answer.
    """
    # Of a damaged file it warns in many lines before it raises what we show in one.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if uri is not None:
        with server_lock(uri):
            served = {"connect_args": {"connect_timeout": PATIENCE_S}, "pool_pre_ping": True}
            return optuna.storages.RDBStorage(uri, engine_kwargs=served)
    engine = {"connect_args": {"timeout": 60}}
    database = optuna.storages.RDBStorage(f"sqlite:///{out / DATABASE}", engine_kwargs=engine)
    event.listen(database.engine, "connect", _unhurried)
    database.engine.dispose()
    return database


def _unhurried(connection: sqlite3.Connection, _: object) -> None:
    """Wait for the disk at checkpoints only: what a power cut takes, the store gives back."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def study_name(out: Path, study: str, uri: str | None) -> str:
    """What a folder's study is called in Optuna's database."""
    return study if uri is None else f"{owner_of(out, make=True)}/{study}"


class OptunaDatabase:
    """`optuna.db`, brought to what the store holds; one process writes it at a time.

    On a server several folders may have the same study: its name there begins with the folder's.
    """

    def __init__(self, store: Store, note: Callable[[str], None], uri: str | None = None) -> None:
        """Opened when a study is first brought to it.

        Args:
            store: The records.
            note: Takes lines on what was done.
            uri: A PostgreSQL database; none means the folder's own file.
        """
        self.store, self.note, self.uri = store, note, uri
        self._is_down = False
        self._storage: optuna.storages.RDBStorage | None = None
        self._studies: dict[str, optuna.Study] = {}

    def reconcile(
        self, name: str, space: Space, run_again: Collection[int] = ()
    ) -> list[Mapping[str, Any]]:
        """Bring a study to the store's records, and give what somebody enqueued in it.

        Trials of ours that no record proves are not there afterwards. Trials that somebody else
        added stay where they are and count for nothing.

        Args:
            name: The study's identity.
            space: What is searched.
            run_again: Numbers of the trials whose records do not count any more.

        Returns:
            The settings of each waiting trial, as Optuna holds them, in their order.
        """
        try:
            return self._reconcile(name, space, run_again)
        except UNREADABLE as error:
            if self.uri is not None or is_out_of_reach(error):
                self._leave(name, error)
                return []
            self._set_aside(error)
        return self._reconcile(name, space, run_again)

    def add(self, name: str, space: Space, record: Trial) -> None:
        """Add the record of a trial that has just ended.

        Where that fails the run goes on: the next one brings the database to the store again.
        """
        if name in self._studies and not self._is_down:
            try:
                self._add(self._studies[name], space, record)
            except UNREADABLE as error:
                self._leave(name, error)

    def _add(self, study: optuna.Study, space: Space, record: Trial) -> None:
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))[:1]
        if any(_asked_for(one, space).items() <= _held(record, space).items() for one in waiting):
            _tell_enqueued(study, space, record)
        else:
            study.add_trial(frozen(record, space, shown=True))

    def _leave(self, name: str, error: Exception) -> None:
        """Leave a study as it is until the next run."""
        self._studies.pop(name, None)
        if self.uri is None:
            text = " ".join(str(error).split())[:100]
            self.note(f"Optuna: {name}: not written ({text}); results are safe in the store")
            return
        if not self._is_down:  # the same holds for every study
            self._is_down = True
            text = redact(" ".join(str(error).split()), secrets_of(self.uri))[:300]
            self.note(
                f"Optuna at {redact(self.uri)} cannot be written: {text}; results are safe in the "
                "store"
            )

    def close(self) -> None:
        """Let go of the file."""
        if self._storage is not None:
            self._storage.engine.dispose()
        self._storage = None
        self._studies.clear()

    def _reconcile(
        self, name: str, space: Space, run_again: Collection[int]
    ) -> list[Mapping[str, Any]]:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if self._is_down:
            return []
        # Also those of an earlier run that asked for more trials.
        records = [one for one in self.store.all_trials(name) if one.number not in run_again]
        study = self._open(name)
        trials = study.get_trials(deepcopy=False)
        waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
        if _contradicts(trials, records):
            optuna.delete_study(study_name=study.study_name, storage=self._storage)  # type: ignore[arg-type]
            study = self._open(name)
            for trial in trials:
                # What others put there is theirs: it comes back.
                if number_of(trial) is None and trial.state != TrialState.RUNNING:
                    study.add_trial(trial)
            trials = study.get_trials(deepcopy=False)
        foreign = [t for t in trials if number_of(t) is None and t.state.is_finished()]
        if foreign:
            self.note(
                f"Optuna: {name}: passed over {len(foreign)} trials that were added by others"
            )
        there = {number_of(trial) for trial in trials}
        for record in records:
            if record.number not in there:
                self._add(study, space, record)
        left = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if waiting and left:
            self.note(f"Optuna: {name}: {len(left)} enqueued trials are tried next")
        return [_asked_for(trial, space) for trial in left]

    def _open(self, name: str) -> optuna.Study:
        if self._storage is None:
            self.store.out.mkdir(parents=True, exist_ok=True)
            self._storage = storage(self.store.out, self.uri)
        study = optuna.create_study(
            storage=self._storage,
            study_name=study_name(self.store.out, name, self.uri),
            direction="maximize",
            load_if_exists=True,
        )
        if study.metric_names != [METRIC]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names([METRIC])
        self._studies[name] = study
        return study

    def _set_aside(self, error: Exception) -> None:
        """Rename a database that cannot be read, so that a new one takes its place."""
        self.close()
        aside = set_aside(self.store.out / DATABASE)
        text = " ".join(str(error).split())[:100]
        self.note(f"{DATABASE} cannot be read ({text}): set aside as {aside.name}, made again")


def _contradicts(trials: Sequence[FrozenTrial], records: Sequence[Trial]) -> bool:
    """Whether a trial is running, or one of ours is there twice or not what its record says.

    Optuna cannot take a trial back, so such a study is made again. The order is no matter: draws
    come from the records.
    """
    ours = [(number, trial) for trial in trials if (number := number_of(trial)) is not None]
    numbers = [number for number, _ in ours]
    scores = {record.number: record.score for record in records}
    same = all(number in scores and scores[number] == trial.value for number, trial in ours)
    abandoned = any(trial.state == TrialState.RUNNING for trial in trials)
    return abandoned or not same or len(numbers) != len(set(numbers))


def _asked_for(trial: FrozenTrial, space: Space) -> dict[str, Any]:
    """The settings that an enqueued trial fixes, as far as they lie in the space."""
    fixed = trial.system_attrs.get("fixed_params", {})
    return {
        key: value
        for key, value in fixed.items()
        if key in space.searched and space.contains(key, value)
    }


def _held(record: Trial, space: Space) -> dict[str, Any]:
    return {key: packed(record.params[key]) for key in space.searched if key in record.params}


def _tell_enqueued(study: optuna.Study, space: Space, record: Trial) -> None:
    """End the waiting trial that this record is the answer to."""
    study.sampler = sampler("", 0, _held(record, space))
    with warnings.catch_warnings():
        # A value outside of the range is passed over, as it was when the trial was drawn.
        warnings.simplefilter("ignore")
        trial = study.ask(fixed_distributions=dict(space.searched))
    trial.set_user_attr(TRIAL_NUMBER, record.number)
    if record.status == "complete":
        study.tell(trial, record.score)
    else:
        study.tell(trial, state=TrialState.FAIL)


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
