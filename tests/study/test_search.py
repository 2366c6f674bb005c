"""A study's trials: filled once, the same whatever happened between."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError
from tunebench.analysis.studies import LEAST_FOR_IMPORTANCES, best_trial
from tunebench.methods import get_method
from tunebench.records import Curve, Trial
from tunebench.store.store import Store
from tunebench.study.jobs import RANDOM_TRIALS, trial_jobs
from tunebench.study.schedule import Schedule
from tunebench.study.search import (
    TRIAL_NUMBER,
    OptunaDatabase,
    draw,
    draw_of,
    importances,
    storage,
)
from tunebench.study.space import as_fields, packed, space

LORA = space(get_method("lora"), {})
TRIALS = 7
"""More than are random, so that the model of what was seen counts too."""


class Stop(Exception):
    """Raised where a process would be gone."""


@pytest.fixture
def notes():
    """The lines that the database gave."""
    return []


@pytest.fixture
def fill(make_out, notes):
    """Fills a study by a made-up score; `stop` names a trial at which it is torn down."""

    def run(folder, trials=TRIALS, stop=None, after=False, bad=()):
        def trial(params, number):
            if number == stop and not after:
                raise Stop
            ran.append(number)
            if number in bad:
                return Trial("study", number, "diverged", params, None, 0.0, "loss is nan")
            value = -((params["lr"] - 2e-3) ** 2) * 1e4 + params["rank"] / 1e3
            return Trial("study", number, "complete", params, value, 0.0)

        ran = []
        store = Store(folder)
        put = store.put_trial

        def torn(record):
            put(record)
            if record.number == stop and after:
                raise Stop

        store.put_trial = torn
        database = OptunaDatabase(store, notes.append)
        jobs = tuple(trial_jobs("study", "task", "lora", 0, trials))
        schedule = Schedule(jobs, store, {"lora": LORA}, database)
        while (job := next(schedule.ready(), None)) is not None:
            schedule.finish(job, trial(as_fields(job.hyperparameters), job.number))
        database.close()
        return ran

    return run


def in_optuna(folder):
    """What Optuna says: each complete trial's settings and value, by our number."""
    database = storage(folder)
    study = optuna.load_study(storage=database, study_name="study")
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    database.engine.dispose()
    return sorted(
        ((t.user_attrs[TRIAL_NUMBER], t.params, t.value) for t in complete),
        key=lambda trial: int(trial[0]),
    )


def kept(folder, trials=TRIALS):
    return [(t.number, dict(t.params), t.score) for t in Store(folder).trials("study", trials)]


def test_trial_0_holds_the_defaults_and_the_others_differ(make_out, fill):
    out = make_out()
    assert fill(out) == list(range(TRIALS))
    trials = Store(out).trials("study", TRIALS)
    assert {key: trials[0].params[key] for key in LORA.defaults} == LORA.defaults
    assert len({t.params["lr"] for t in trials}) == TRIALS
    assert [(number, score) for number, _, score in in_optuna(out)] == [
        (number, score) for number, _, score in kept(out)
    ]


@pytest.mark.parametrize(
    ("stop", "after"),
    [(0, False), (3, True), (5, False)],
    ids=["in the first", "after the fourth's record", "in the sixth"],
)
def test_a_study_that_was_stopped_draws_what_an_undisturbed_one_draws(make_out, fill, stop, after):
    whole, torn = make_out("whole"), make_out("torn")
    fill(whole)
    with pytest.raises(Stop):
        fill(torn, stop=stop, after=after)
    assert fill(torn) == list(range(stop + after, TRIALS))
    assert kept(torn) == kept(whole)
    assert in_optuna(torn) == in_optuna(whole)


def test_more_trials_later_equal_all_trials_at_once(make_out, fill):
    whole, grown = make_out("whole"), make_out("grown")
    fill(whole)
    fill(grown, trials=2)
    assert fill(grown) == list(range(2, TRIALS))
    assert kept(grown) == kept(whole)
    assert fill(grown, trials=1) == []
    assert in_optuna(grown) == in_optuna(whole)


def test_a_database_that_was_lost_is_made_again_from_the_store(make_out, fill):
    out = make_out()
    fill(out)
    before = in_optuna(out)
    (out / "optuna.db").unlink()
    assert fill(out) == []
    assert in_optuna(out) == before


@pytest.mark.parametrize("number", [0, 5])
def test_a_record_that_was_lost_is_run_again_as_it_was_and_told_once(make_out, fill, number):
    out = make_out()
    fill(out)
    records, before = kept(out), in_optuna(out)
    (out / "trials" / "study" / f"{number:04d}.json").unlink()
    assert fill(out) == [number]
    assert kept(out) == records
    assert in_optuna(out) == before


def test_a_trial_that_diverged_is_not_run_again_and_never_wins(make_out, fill):
    out = make_out()
    assert fill(out, bad={0, 4}) == list(range(TRIALS))
    assert fill(out, bad={0, 4}) == []
    assert [number for number, _, _ in in_optuna(out)] == [1, 2, 3, 5, 6]
    winner = best_trial(Store(out).trials("study", TRIALS))
    assert winner.score == max(score for _, _, score in kept(out) if score is not None)


def test_the_earliest_of_equals_wins_and_nothing_wins_where_all_failed():
    equal = [Trial("s", number, "complete", {}, 0.5, 0.0) for number in range(3)]
    assert best_trial(tuple(equal)).number == 0
    assert best_trial((Trial("s", 0, "diverged", {}, None, 0.0),)) is None
    lower = Trial("s", 0, "complete", {}, -0.2, 0.0)
    assert best_trial((lower, Trial("s", 1, "complete", {}, -0.1, 0.0))).number == 1


def scored_by(setting, trials=LEAST_FOR_IMPORTANCES):
    """Trials drawn at random, with a score that depends on one setting only."""
    for number in range(trials):
        params = draw("study", LORA, (), number)
        score = params[setting] if isinstance(params[setting], float) else -abs(params["rank"] - 8)
        yield Trial("study", number, "complete", params, float(score), 0.0)


@pytest.mark.parametrize("setting", ["lr", "rank"])
def test_importances_are_shares_of_the_searched_settings(setting):
    shares = importances(scored_by(setting, 60), LORA)
    assert set(shares) == set(LORA.searched)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert max(shares, key=shares.get) == next(iter(shares)) == setting


def test_importances_take_enough_complete_trials_that_differ():
    trials = list(scored_by("lr"))
    assert importances(trials, LORA)
    assert importances(trials[:-1], LORA) == {}
    failed = replace(trials[0], status="diverged", score=None)
    assert importances([failed, *trials[1:]], LORA) == {}
    assert importances([replace(trial, score=0.5) for trial in trials], LORA) == {}
    fixed = space(get_method("lora"), {name: LORA.defaults[name] for name in LORA.searched})
    assert not fixed.searched
    assert importances(trials, fixed) == {}


def test_a_record_says_where_its_settings_came_from():
    trials = [Trial("s", n, "complete", {}, 0.5, 0.0) for n in range(RANDOM_TRIALS)]
    failed = [replace(trials[0], status="error", score=None), *trials[1:]]
    assert draw_of((), 0) == "defaults"
    assert draw_of((), 1) == "random"
    assert draw_of(trials, RANDOM_TRIALS) == "TPE"
    # TPE models complete trials only, and draws at random while there are too few.
    assert draw_of(failed, RANDOM_TRIALS) == "random"


def test_the_later_random_trials_are_those_of_a_random_search():
    """A trial that sees nothing is drawn as TPE draws its first ones, whatever its number."""
    seen = list(scored_by("lr", RANDOM_TRIALS + 2))
    number = RANDOM_TRIALS + 2
    assert draw("study", LORA, (), number) == draw("study", LORA, seen[:2], number)
    assert draw("study", LORA, (), number) != draw("study", LORA, seen, number)


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
