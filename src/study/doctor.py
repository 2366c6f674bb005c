"""`doctor`: whether store, Optuna and MLflow tell the same story."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from ..analysis import analyse, read_from, remembered
from ..data.digest import ids_digest
from ..files import busy
from ..records import Result, Trial
from ..store.store import Plan, Store, require_plan
from ..text import redact
from ..tracking import Tracker, TrackingError, chosen
from ..tracking.postgresql import require_postgresql, secrets_of
from .optuna_storage import DATABASE, UNREADABLE, number_of, storage, study_name
from .plan import assemble
from .publish import elsewhere


def examine(
    out: Path, tracking_uri: str | None = None, optuna_storage: str | None = None
) -> list[str]:
    """Everything that disagrees, one line each; empty where nothing does.

    Args:
        out: The output folder.
        tracking_uri: Where MLflow's runs are; none means the folder, or what the environment says.
        optuna_storage: Where Optuna's trials are; none means the folder.

    Raises:
        UserError: Where there is no comparison in the folder.
    """
    store = Store(out)
    require_plan(store)
    if optuna_storage is not None:
        require_postgresql(optuna_storage)
    if busy(out):
        return [f"a run is working in '{out}': ask again when it has ended"]
    lines = [f"store: {name} is damaged and will be run again" for name in store.damaged()]
    if not os.access(out, os.W_OK):
        # SQLite needs to write beside a database that it only reads.
        return [*lines, f"'{out}' cannot be written to: Optuna and MLflow were not looked at"]
    plans = store.plans()
    lines += _unfinished(store, plans)
    lines += _splits(store, plans)
    lines += _optuna(store, plans, optuna_storage)
    for plan in plans:
        lines += _mlflow(store, plan, tracking_uri)
    return list(dict.fromkeys(lines))


def _unfinished(store: Store, plans: tuple[Plan, ...]) -> Iterator[str]:
    """Trainings that are kept and that nothing waits for; one that goes on is as it should be."""
    cells = {f"cells/{cell.cell}" for plan in plans for cell in plan.cells}
    studies = {f"trials/{one.study}" for plan in plans for one in plan.studies}
    for name in store.unfinished():
        folder, _, last = name.rpartition("/")
        record: Trial | Result | None = None
        if name in cells:
            record = store.result(last)
        elif folder in studies and last.isdecimal():
            record = store.trial(folder.partition("/")[2], int(last))
        else:
            yield f"store: unfinished/{name}.ckpt belongs to no comparison here: it may be deleted"
        if record is not None and record.failure != "transient":
            yield f"store: unfinished/{name}.ckpt has a record already: the next run removes it"


def _splits(store: Store, plans: tuple[Plan, ...]) -> Iterator[str]:
    """Whether what selected and what was tested are the rows that the records name, and apart."""
    read = read_from(store.out)
    for name in dict.fromkeys(cell.cell for plan in plans for cell in plan.cells):
        result = store.result(name)
        if result is None or result.status != "complete" or not result.splits:
            continue
        tests = {key: one for key, one in result.splits.items() if key.partition("/")[0] == "test"}
        selected = result.splits.get("validation")
        if selected in tests.values():
            yield f"store: {name} was selected on the rows that it was tested on"
        others = [
            trial.number
            for trial in store.all_trials(result.study)
            if trial.splits and trial.splits.get("validation") != selected
        ]
        if others:
            yield f"store: {name}: trials {others} were judged on other rows than its record names"
        answers = read(result)
        if answers is not None and ids_digest(answers.ids) != tests.get("test"):
            yield f"store: {name} was tested on other rows than its record names"


def _optuna(store: Store, plans: tuple[Plan, ...], uri: str | None) -> list[str]:
    """Each study's trials against its records."""
    path = store.out / DATABASE
    recorded = require_plan(store).experiment.get("optuna_storage")
    if uri is None and recorded:
        # Who sent the folder may have chosen that address.
        return [
            f"Optuna: the trials were written to {redact(str(recorded))}, which is not contacted "
            "unless you name it again, by --optuna-storage"
        ]
    if uri is None and not path.is_file():
        return [f"Optuna: {DATABASE} is missing; the next run makes it again from the store"]
    try:
        return list(_studies(store, plans, uri))
    except UNREADABLE as error:
        text = " ".join(str(error).split())[:100]
        if uri is not None:
            text = redact(" ".join(str(error).split()), secrets_of(uri))[:300]
            return [f"Optuna at {redact(uri)} cannot be read: {text}"]
        return [
            f"Optuna: {DATABASE} cannot be read ({text}); the next run sets it aside and makes it "
            "again from the store"
        ]


def _studies(store: Store, plans: tuple[Plan, ...], uri: str | None) -> Iterator[str]:
    database = storage(store.out, uri)
    try:
        there = set(optuna.get_all_study_names(database))
        for name in dict.fromkeys(one.study for plan in plans for one in plan.studies):
            records = {t.number: t for t in store.all_trials(name) if t.status == "complete"}
            called = study_name(store.out, name, uri)
            if called in there:
                trials = optuna.load_study(storage=database, study_name=called).get_trials()
                yield from _study(name, trials, {n: t.score for n, t in records.items()})
            elif records:
                yield f"Optuna: study {name} is missing, the store has {len(records)} trials of it"
    finally:
        database.engine.dispose()


def _study(
    name: str, trials: Sequence[FrozenTrial], records: Mapping[int, float | None]
) -> Iterator[str]:
    running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
    if running:
        yield f"Optuna: {name}: trials {running} are running, but no process is"
    values: dict[int, list[float | None]] = {}
    foreign = 0
    for trial in trials:
        number = number_of(trial)
        if trial.state != TrialState.COMPLETE:
            continue
        if number is None:
            foreign += 1
        else:
            values.setdefault(number, []).append(trial.value)
    if foreign:
        yield (
            f"Optuna: {name}: {foreign} trials were added by others and count for nothing; "
            f"without {DATABASE} the next run makes it again from the store"
        )
    for number in sorted(values.keys() | records.keys()):
        if values.get(number, []) != ([records[number]] if number in records else []):
            yield (
                f"Optuna: {name}: trial {number} has values {values.get(number, [])}, "
                f"the store has {records.get(number)}"
            )


def _mlflow(store: Store, plan: Plan, uri: str | None) -> list[str]:
    recorded = plan.experiment.get("tracking_uri")
    if recorded and not chosen(uri):
        return [f"MLflow: {elsewhere(str(recorded))}"]
    try:
        analysis = analyse(assemble(plan, store), calibration=remembered(read_from(store.out)))
        lines = Tracker(uri, store.out).check(analysis)
        return [f"MLflow: {line}" for line in lines]
    except TrackingError as error:
        return [f"MLflow: {error}"]
