"""`doctor`: whether store, Optuna and MLflow tell the same story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.trial import TrialState

from ..files import busy
from ..store.store import Plan, Store, require_plan
from ..tracking import Tracker, TrackingError
from .plan import assemble
from .search import TRIAL_NUMBER, storage


def examine(out: Path, tracking_uri: str | None = None) -> list[str]:
    """Everything that disagrees, one line each; empty where nothing does.

    Raises:
        UserError: Where there is no comparison in the folder.
    """
    store = Store(out)
    require_plan(store)
    if busy(out):
        return [f"a run is working in '{out}': ask again when it has ended"]
    found = [f"store: {name} is damaged and will be run again" for name in store.damaged()]
    plans = store.plans()
    found += _optuna(store, plans)
    for plan in plans:
        found += _mlflow(store, plan, tracking_uri)
    return list(dict.fromkeys(found))


def _optuna(store: Store, plans: tuple[Plan, ...]) -> Iterator[str]:
    """Each study's trials against its complete trials."""
    if not (store.out / "optuna.db").is_file():
        yield "Optuna: optuna.db is missing; the next run makes it again from the store"
        return
    there = set(optuna.get_all_study_names(storage(store.out)))
    for name in dict.fromkeys(study for plan in plans for study in plan.studies):
        trials = max(plan.trials for plan in plans if name in plan.studies)
        records = {t.number: t for t in store.trials(name, trials) if t.status == "complete"}
        if name not in there:
            if records:
                yield f"Optuna: study {name} is missing, the store has {len(records)} trials of it"
            continue
        yield from _study(store, name, {number: t.score for number, t in records.items()})


def _study(store: Store, name: str, records: dict[int, float | None]) -> Iterator[str]:
    trials = optuna.load_study(storage=storage(store.out), study_name=name).get_trials()
    running = [t.number for t in trials if not t.state.is_finished()]
    if running:
        yield f"Optuna: {name}: trials {running} are running, but no process is"
    values: dict[int, list[float | None]] = {}
    for trial in trials:
        if trial.state == TrialState.COMPLETE:
            values.setdefault(int(trial.user_attrs[TRIAL_NUMBER]), []).append(trial.value)
    for number in sorted(values.keys() | records.keys()):
        if values.get(number, []) != ([records[number]] if number in records else []):
            yield (
                f"Optuna: {name}: trial {number} has values {values.get(number, [])}, "
                f"the store has {records.get(number)}"
            )


def _mlflow(store: Store, plan: Plan, uri: str | None) -> list[str]:
    tracker = Tracker(uri or plan.experiment.get("tracking_uri"), store.out)
    try:
        return [f"MLflow: {line}" for line in tracker.check(assemble(plan, store))]
    except TrackingError as error:
        return [f"MLflow: {error}"]
