"""What is lost or damaged is named by the doctor, and healed by the same command."""

import dataclasses
import json
import sqlite3

import optuna
import pytest
from tunebench.config import SearchSettings
from tunebench.errors import UserError
from tunebench.files import file_lock
from tunebench.store.store import Store
from tunebench.study import cell, doctor
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.optuna_storage import storage

from tests import small


@pytest.fixture
def experiment(checkpoint, out):
    search = SearchSettings(trials=2, trial_epochs=1, epochs=1)
    return small.experiment(checkpoint, out, methods={"head": {}}, search=search)


def scores(comparison):
    return [(r.cell, r.status, r.metrics, r.hyperparameters) for r in comparison.results]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["mlflow.db", "optuna.db"])
def test_a_database_that_is_gone_is_made_again_without_training(experiment, out, monkeypatch, name):
    before = compare(experiment)
    assert examine(out) == []
    for path in out.glob(f"{name}*"):
        path.unlink()
    (line,) = examine(out)
    assert name in line
    monkeypatch.setattr(cell, "fit", None)
    assert scores(compare(experiment)) == scores(before)
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_study_that_optuna_lacks_is_told_where_the_store_has_trials(experiment, out, databases):
    compare(experiment)
    (study,) = (one.study for one in Store(out).plan().studies)
    for path in out.glob("optuna.db*"):
        path.unlink()
    (out / "optuna.db").write_bytes((databases / "optuna.db").read_bytes())
    missing = f"Optuna: study {study} is missing, the store has 2 trials of it"
    assert [line for line in examine(out) if "Optuna" in line] == [missing]
    for path in out.glob("trials/*/*.json"):
        path.unlink()
    assert [line for line in examine(out) if "Optuna" in line] == []


CELL, TRIAL = "cells/*.json", "trials/*/0001.json"
PREDICTIONS, ADAPTER = "predictions/*.parquet", "adapters/*.safetensors"


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    ("harm", "pattern"),
    [
        ("flipped", CELL),
        ("flipped", PREDICTIONS),
        ("gone", TRIAL),
        pytest.param("flipped", ADAPTER, marks=pytest.mark.slow),
        pytest.param("flipped", TRIAL, marks=pytest.mark.slow),
        pytest.param("gone", CELL, marks=pytest.mark.slow),
        pytest.param("gone", PREDICTIONS, marks=pytest.mark.slow),
        pytest.param("gone", ADAPTER, marks=pytest.mark.slow),
    ],
)
def test_a_damaged_file_is_told_and_made_again(experiment, out, pattern, harm):
    before = compare(experiment)
    (path,) = out.glob(pattern)
    if harm == "gone" and path.suffix == ".json":
        path.unlink()
        assert ("Optuna" in "".join(examine(out))) == ("trials" in pattern)
    else:
        flip(path) if harm == "flipped" else path.unlink()
        assert any("damaged" in line and ".json" in line for line in examine(out))
    assert scores(compare(experiment)) == scores(before)
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_trial_that_optuna_thinks_is_running_is_told_and_ended(experiment, out):
    compare(experiment)
    with sqlite3.connect(out / "optuna.db") as database:
        database.execute("UPDATE trials SET state = 'RUNNING' WHERE number = 1")
    assert any("trials [1] are running, but no process is" in line for line in examine(out))
    compare(experiment)
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_value_that_optuna_holds_otherwise_is_told_and_mended(experiment, out):
    compare(experiment)
    with sqlite3.connect(out / "optuna.db") as database:
        database.execute("UPDATE trial_values SET value = 0.25 WHERE trial_value_id = 1")
    assert any("has values [0.25]" in line for line in examine(out))
    compare(experiment)
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_record_counts_only_whole(experiment, out):
    row = compare(experiment).results[0]
    path = out / "cells" / f"{row.cell}.json"
    content = json.loads(path.read_text())
    content["record"]["score"] = 1.0
    path.write_text(json.dumps(content))
    assert Store(out).result(row.cell) is None
    assert Store(out).damaged() == [f"cells/{row.cell}.json"]
    Store(out).put_result(row)
    assert Store(out).result(row.cell) == row


@pytest.mark.usefixtures("records_only")
def test_an_older_comparison_stays_beside_a_newer_one(experiment, out):
    first = compare(experiment)
    second = compare(dataclasses.replace(experiment, seeds=(0, 1)))
    assert {plan.id for plan in Store(out).plans()} == {first.id, second.id}
    assert Store(out).plan().id == second.id
    assert examine(out) == []


def test_a_folder_without_a_comparison_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="no comparison in"):
        examine(tmp_path)


@pytest.mark.usefixtures("records_only")
def test_a_second_runner_on_a_folder_is_refused_with_the_owners_name(experiment, out):
    compare(experiment)
    with file_lock(out):
        with pytest.raises(
            UserError, match=r"another run is working in .*process \d+ on .*for 0 s"
        ):
            compare(experiment)
        assert examine(out) == [f"a run is working in '{out}': ask again when it has ended"]
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_folder_that_cannot_be_written_to_is_told_as_that(experiment, out, monkeypatch):
    compare(experiment)
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (line,) = examine(out)
    assert line == f"'{out}' cannot be written to: Optuna and MLflow were not looked at"
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("records_only")
def test_a_database_that_cannot_be_read_is_told_with_what_happens_next(experiment, out):
    compare(experiment)
    (out / "optuna.db").write_bytes(b"no database, but a text that is long enough to be read")
    (line,) = examine(out)
    assert line.startswith("Optuna: optuna.db cannot be read (")
    assert "the next run sets it aside" in line
    compare(experiment)
    assert examine(out) == []


@pytest.mark.usefixtures("records_only")
def test_a_trial_that_somebody_added_is_told_with_a_way_out(experiment, out):
    (study,) = {trial.study for trial in compare(experiment).trials}
    database = storage(out)
    optuna.load_study(study_name=study, storage=database).add_trial(
        optuna.trial.create_trial(value=0.9)
    )
    database.engine.dispose()
    (line,) = examine(out)
    assert "1 trials were added by others and count for nothing" in line
    (out / "optuna.db").unlink()
    compare(experiment)
    assert examine(out) == []
