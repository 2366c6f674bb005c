"""Optuna's database of a folder: a copy of the trials, for Optuna's own tools.

It is brought to the store, and where it cannot be read it is set aside.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..files import is_out_of_reach, set_aside
from ..records import Trial
from ..store.store import Store
from ..text import redact
from ..tracking.postgresql import secrets_of
from ..tracking.values import VALIDATION, curve_points
from .optuna_attributes import ranges, trial_attributes
from .optuna_storage import DATABASE, UNREADABLE, number_of, storage, study_name
from .search import TRIAL_NUMBER, frozen, held, sampler
from .space import Space

METRIC = "validation score"
"""What Optuna's tools call a trial's value."""


class OptunaDatabase:
    """`optuna.db`, brought to what the store holds; one process writes it at a time."""

    def __init__(
        self,
        store: Store,
        note: Callable[[str], None],
        uri: str | None = None,
        attributes: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Opened when a study is first brought to it.

        Args:
            store: The records.
            note: Takes lines on what was done.
            uri: A PostgreSQL database; none means the folder's own file.
            attributes: Study → what Optuna's tools should show of it and its trials.
        """
        self.store, self.note, self.uri = store, note, uri
        self._attributes = attributes or {}
        self._is_down = False
        self._storage: optuna.storages.RDBStorage | None = None
        self._studies: dict[str, optuna.Study] = {}
        self._brought: dict[str, tuple[Space, set[int]]] = {}
        """Study → what is searched, and which of its records do not count."""

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
        for earlier, (searched, left_out) in self._brought.items():
            self._reconcile(earlier, searched, left_out)  # it stood in the file that was set aside
        return self._reconcile(name, space, run_again)

    def add(self, name: str, space: Space, record: Trial) -> None:
        """Add the record of a trial that has just ended.

        Where that fails the run goes on: the next one brings the database to the store again.
        """
        if name in self._studies and not self._is_down:
            self._brought[name][1].discard(record.number)
            try:
                self._add(name, space, record)
            except UNREADABLE as error:
                self._leave(name, error)

    def _add(self, name: str, space: Space, record: Trial) -> None:
        study = self._studies[name]
        attributes = {**self._attributes.get(name, {}), **trial_attributes(record)}
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))[:1]
        if any(_asked_for(one, space).items() <= held(record, space).items() for one in waiting):
            _tell_enqueued(study, space, record, attributes)
        else:
            by_step = dict(curve_points(record.curve).get(VALIDATION, ()))
            study.add_trial(frozen(record, space, attributes, by_step))

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
        study = self._open(name, space)
        trials = study.get_trials(deepcopy=False)
        waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
        if _contradicts(trials, records):
            optuna.delete_study(study_name=study.study_name, storage=self._storage)  # type: ignore[arg-type]
            study = self._open(name, space)
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
                self._add(name, space, record)
        self._brought[name] = (space, set(run_again))
        left = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if waiting and left:
            self.note(f"Optuna: {name}: {len(left)} enqueued trials are tried next")
        return [_asked_for(trial, space) for trial in left]

    def _open(self, name: str, space: Space) -> optuna.Study:
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
        there = study.user_attrs
        for key, text in {**self._attributes.get(name, {}), **ranges(space)}.items():
            if there.get(key) != text:
                study.set_user_attr(key, text)
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


def _tell_enqueued(
    study: optuna.Study, space: Space, record: Trial, attributes: Mapping[str, Any]
) -> None:
    """End the waiting trial that this record is the answer to."""
    study.sampler = sampler("", 0, held(record, space))
    with warnings.catch_warnings():
        # A value outside of the range is passed over, as it was when the trial was drawn.
        warnings.simplefilter("ignore")
        trial = study.ask(fixed_distributions=dict(space.searched))
    for key, value in {TRIAL_NUMBER: record.number, **attributes}.items():
        trial.set_user_attr(key, value)
    if record.status == "complete":
        study.tell(trial, record.score)
    else:
        study.tell(trial, state=TrialState.FAIL)
