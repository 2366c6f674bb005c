"""Optuna's copy of the trials: made from the store, and explaining itself to Optuna's tools."""

import os
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError
from tunebench.methods import get_method
from tunebench.records import Curve, Trial
from tunebench.store.store import Store
from tunebench.study.optuna_attributes import ranges
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.optuna_storage import storage
from tunebench.study.space import packed, space

from tests.study.filled import LORA, in_optuna, kept


def test_a_database_that_was_lost_is_made_again_from_the_store(make_out, fill):
    out = make_out()
    fill(out)
    before = in_optuna(out)
    (out / "optuna.db").unlink()
    assert fill(out) == []
    assert in_optuna(out) == before


def open_study(folder):
    return optuna.load_study(storage=storage(folder), study_name="study")


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"not a database at all, but a text of some length" * 9),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: change(path, "DROP TABLE trials"),
        lambda path: change(path, "UPDATE alembic_version SET version_num = 'v2.6.0.a'"),
        lambda path: change(path, "UPDATE study_directions SET direction = 'SIDEWAYS'"),
        lambda path: change(path, "UPDATE trial_params SET distribution_json = '3'"),
    ],
    ids=["text", "cut", "no table", "older schema", "no such name", "a number for a mapping"],
)
def test_a_database_that_cannot_be_read_is_set_aside_and_made_again(make_out, fill, notes, harm):
    out = make_out()
    fill(out)
    before = in_optuna(out)
    assert not list(out.glob("optuna.db-*")), "nothing has the file open"
    harm(out / "optuna.db")
    assert fill(out) == []
    assert in_optuna(out) == before
    assert (out / "optuna.db.damaged-1").is_file()
    (note,) = notes
    assert "set aside as optuna.db.damaged-1" in note
    assert "\n" not in note


def test_what_was_brought_before_the_damage_was_met_is_brought_again(make_out):
    """A part of the file may be whole: the study in it must not be gone until the next run."""
    out = make_out()
    store = Store(out)
    names = ("first", "second")
    for name in names:
        for number in range(2):
            score = 0.5 + number / 10
            store.put_trial(Trial(name, number, "complete", LORA.defaults, score, 1.0))
    database = OptunaDatabase(store, lambda note: None)
    for name in names:
        database.reconcile(name, LORA)
    database.close()
    change(
        out / "optuna.db",
        "UPDATE study_directions SET direction = 'SIDEWAYS' WHERE study_id = 2",
    )
    database = OptunaDatabase(store, lambda note: None)
    database.reconcile("first", LORA, run_again={0})
    again = Trial("first", 0, "complete", LORA.defaults, 0.9, 1.0)
    store.put_trial(again)
    database.add("first", LORA, again)
    database.reconcile("second", LORA)
    database.close()
    opened = storage(out)
    for name, scores in (("first", [0.6, 0.9]), ("second", [0.5, 0.6])):
        trials = optuna.load_study(storage=opened, study_name=name).get_trials()
        assert sorted(trial.value for trial in trials) == scores
    opened.engine.dispose()


def change(path, statement):
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_database_that_somebody_else_writes_is_left_alone(make_out, fill, notes, monkeypatch):
    out = make_out()
    fill(out, trials=1)
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    refused = OperationalError("INSERT", {}, busy)

    def refuse(*arguments, **named):
        raise refused

    monkeypatch.setattr(optuna.Study, "add_trial", refuse)
    monkeypatch.setattr(OptunaDatabase, "_open", refuse)
    assert fill(out, trials=3) == [1, 2]
    assert not list(out.glob("*damaged*"))
    assert "results are safe in the store" in notes[0]
    monkeypatch.undo()
    assert fill(out, trials=3) == []
    assert [number for number, _, _ in in_optuna(out)] == [0, 1, 2]


def test_a_trial_that_somebody_enqueued_is_tried_next_and_only_once(make_out, fill, notes):
    out = make_out()
    fill(out, trials=2)
    open_study(out).enqueue_trial({"lr": 0.0042, "rank": 4})
    assert fill(out, trials=2) == []
    assert fill(out, trials=3) == [2]
    params = dict(Store(out).trial("study", 2).params)
    assert (params["lr"], params["rank"]) == (0.0042, 4)
    assert fill(out, trials=5) == [3, 4]
    assert all(t.params["lr"] != 0.0042 for t in Store(out).trials("study", 5)[3:])
    assert not open_study(out).get_trials(states=(TrialState.WAITING,))
    assert [number for number, _, _ in in_optuna(out)] == [0, 1, 2, 3, 4]
    assert any("1 enqueued" in note for note in notes)
    # Optuna holds all that was searched of each trial, as its record does, also what was drawn.
    for number, held, _ in in_optuna(out):
        record = Store(out).trial("study", number).params
        assert held == {key: packed(record[key]) for key in LORA.searched}


def test_the_first_of_two_enqueued_trials_is_answered_first(make_out):
    """Optuna answers them in their order: a record of the second ends no other."""
    store = Store(make_out())
    database = OptunaDatabase(store, lambda note: None)
    database.reconcile("study", LORA)
    for lr in (0.0042, 0.0021):
        open_study(store.out).enqueue_trial({"lr": lr})
    tried = {**LORA.defaults, "lr": 0.0021}
    database.add("study", LORA, Trial("study", 0, "complete", tried, 0.5, 1.0))
    database.close()
    (ended,) = open_study(store.out).get_trials(states=(TrialState.COMPLETE,))
    assert (ended.value, ended.params["lr"]) == (0.5, 0.0021)
    waiting = open_study(store.out).get_trials(states=(TrialState.WAITING,))
    assert [one.system_attrs["fixed_params"]["lr"] for one in waiting] == [0.0042, 0.0021]


def test_a_record_of_a_study_that_was_not_brought_waits_for_the_next_run(tmp_path, notes):
    store = Store(tmp_path)
    database = OptunaDatabase(store, notes.append)
    database.add("study", LORA, Trial("study", 0, "complete", LORA.defaults, 0.5, 1.0))
    assert not (store.out / "optuna.db").exists()
    assert notes == []


def test_trials_that_somebody_added_stay_and_count_for_nothing(make_out, fill, notes):
    whole, out = make_out("whole"), make_out()
    fill(whole)
    fill(out, trials=3)
    study = open_study(out)
    study.add_trial(optuna.trial.create_trial(value=99.0))
    assert fill(out) == [3, 4, 5, 6]
    assert kept(out) == kept(whole)
    assert 99.0 in [trial.value for trial in open_study(out).get_trials()]
    assert any("passed over 1 trials that were added by others" in note for note in notes)


def test_optuna_warns_of_nothing_that_is_shown_in_a_line_of_ours(make_out):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    storage(make_out()).engine.dispose()
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR


def test_whoever_finds_the_database_locked_waits_a_minute(make_out):
    database = storage(make_out())
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    database.engine.dispose()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="says which files are open")
def test_a_database_that_was_let_go_of_is_open_no_more(make_out):
    def is_open():
        targets = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.exists()]
        return str((out / "optuna.db").resolve()) in targets

    out = make_out()
    database = OptunaDatabase(Store(out), print)
    database.reconcile("study", LORA)
    assert is_open()
    database.close()
    assert not is_open()


def test_optuna_s_tools_see_what_a_value_is_and_how_it_grew(make_out):
    store = Store(make_out())
    curve = Curve((5, 10), (0.9, 0.4), (5, 10), (0.5, 0.625))
    store.put_trial(Trial("study", 0, "complete", LORA.defaults, 0.625, 1.0, curve=curve))
    database = OptunaDatabase(store, lambda note: None)
    database.reconcile("study", LORA)
    database.close()
    for _ in range(2):
        study = open_study(store.out)
        assert study.metric_names == ["validation score"]
        (trial,) = study.trials
        assert trial.value == 0.625
        assert trial.intermediate_values == {5: 0.5, 10: 0.625}
        # Once more changes nothing.
        database.reconcile("study", LORA)
        database.close()


def test_optuna_s_tools_are_shown_what_a_study_and_its_trials_are_of(make_out):
    store = Store(make_out())
    known = {"task": "sst2", "method": "lora", "data": "GLUE", "backbone": "minilm"}
    store.put_trial(Trial("study", 0, "complete", LORA.defaults, 0.6, 2.0, draw="defaults"))
    store.put_trial(Trial("study", 1, "error", LORA.defaults, None, 0.0, reason="no memory"))
    database = OptunaDatabase(store, lambda note: None, attributes={"study": known})
    database.reconcile("study", LORA)
    database.add("study", LORA, Trial("study", 2, "complete", LORA.defaults, 0.7, 3.0))
    database.close()
    study = open_study(store.out)
    searched = {key: text for key, text in study.user_attrs.items() if key.startswith("search ")}
    assert study.user_attrs == {**known, **searched}
    assert set(searched) == {f"search {key}" for key in LORA.searched}
    assert [{**known, "trial": 0, "draw": "defaults", "seconds": 2.0}] == [
        study.trials[0].user_attrs
    ]
    assert study.trials[1].user_attrs == {**known, "trial": 1, "reason": "no memory"}
    assert study.trials[2].user_attrs == {**known, "trial": 2, "seconds": 3.0}


def test_an_enqueued_trial_has_the_same_attributes(make_out):
    store, known = Store(make_out()), {"task": "sst2"}
    database = OptunaDatabase(store, lambda note: None, attributes={"study": known})
    database.reconcile("study", LORA)
    open_study(store.out).enqueue_trial({"lr": 0.0042})
    tried = {**LORA.defaults, "lr": 0.0042}
    database.add("study", LORA, Trial("study", 0, "complete", tried, 0.5, 1.0, draw="enqueued"))
    database.close()
    (trial,) = open_study(store.out).trials
    assert trial.user_attrs == {**known, "trial": 0, "draw": "enqueued", "seconds": 1.0}


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"lr": {"low": 1e-4, "high": 0.01, "log": True}}, "0.0001 to 0.01, log"),
        ({"lr": {"low": 0.5, "high": 1.0}}, "0.5 to 1"),
        ({"lr": [0.1, 0.2]}, "0.1, 0.2"),
        ({"lr": 0.1}, None),
    ],
)
def test_a_range_is_written_as_a_reader_has_it(settings, text):
    assert ranges(space(get_method("lora"), settings)).get("search lr") == text
