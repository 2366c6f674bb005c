"""Optuna's copy of the trials on a real PostgreSQL server, and whole comparisons on one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from mlflow.tracking import MlflowClient
from tunebench.cli.program import run as program
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.records import Trial
from tunebench.store.store import Store
from tunebench.study.checks import check_run_settings
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.jobs import trial_jobs
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.optuna_storage import storage, study_name
from tunebench.study.schedule import Schedule
from tunebench.study.search import TRIAL_NUMBER
from tunebench.study.space import space

from tests import postgresql, small
from tests.study.killing_workers import experiment
from tests.study.test_many_commands import AMISS
from tests.study.working import process

needs_server = pytest.mark.skipif(bool(postgresql.why_not()), reason=postgresql.why_not())
WRITERS, TRIALS = 8, 6
STUDY = "study"


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    with postgresql.running() as running:
        yield running


def fill(uri: str, out: Path, trials: int) -> list[str]:
    """Run the trials of a study that are not there, by a made-up score; what the database noted."""
    notes: list[str] = []
    lora = space(get_method("lora"), {})
    database = OptunaDatabase(Store(out), notes.append, uri)
    jobs = tuple(trial_jobs(STUDY, "task", "lora", 0, trials))
    schedule = Schedule(jobs, Store(out), {"lora": lora}, database)
    while (job := next(schedule.ready(), None)) is not None:
        settings = dict(job.hyperparameters or {})
        score = settings["rank"] / 100 + settings["lr"]
        assert job.number is not None
        schedule.finish(job, Trial(STUDY, job.number, "complete", settings, score, 0.0))
    database.close()
    return notes


def trials_of(uri: str, out: Path, study_id: str = STUDY) -> list[tuple[int, float]]:
    """Numbers and scores of a folder's study on the server."""
    database = storage(out, uri)
    study = optuna.load_study(storage=database, study_name=study_name(out, study_id, uri))
    trials = [(one.user_attrs[TRIAL_NUMBER], one.value) for one in study.get_trials()]
    database.engine.dispose()
    return trials


def records_of(out: Path, study_id: str = STUDY) -> list[tuple[int, float | None]]:
    return [(trial.number, trial.score) for trial in Store(out).trials(study_id, TRIALS)]


@needs_server
@pytest.mark.slow
def test_eight_writers_on_an_empty_database_lose_and_double_no_trial(
    server: postgresql.Server, tmp_path: Path
) -> None:
    """All fill a study of the same name at the same time; each folder has its own there."""
    uri = server.database("eight")
    outs = [tmp_path / f"out{number}" for number in range(WRITERS)]

    def fills(number: int) -> None:
        assert fill(uri, outs[number], TRIALS) == []

    assert postgresql.together(fills, WRITERS) == [0] * WRITERS
    for out in outs:
        assert len(records_of(out)) == TRIALS
        assert sorted(trials_of(uri, out)) == records_of(out)


@needs_server
@pytest.mark.slow
def test_eight_commands_at_once_lose_and_double_nothing(
    server: postgresql.Server, checkpoint: Path, tmp_path: Path
) -> None:
    """Whole comparisons, each in a folder of its own and with other seeds, on empty databases."""
    runs, trials = server.database("commands"), server.database("studies")
    outs = [tmp_path / f"out{number}" for number in range(WRITERS)]
    changes = [
        {"seeds": [number, number + 1], "tracking_uri": runs, "optuna_storage": trials}
        for number in range(WRITERS)
    ]
    started = [
        process(role="compare", checkpoint=str(checkpoint), out=str(out), workers=1, changes=change)
        for out, change in zip(outs, changes, strict=True)
    ]
    printed = [one.communicate()[0] for one in started]
    assert [one.returncode for one in started] == [0] * WRITERS, printed
    assert [line for text in printed for line in text.splitlines() if AMISS.search(line)] == []
    expected = []
    for out, change in zip(outs, changes, strict=True):
        comparison = compare(experiment(str(checkpoint), str(out), **change))
        assert {row.status for row in comparison.results} == {"complete"}
        assert examine(out, runs, trials) == []
        for study in comparison.studies:
            assert sorted(trials_of(trials, out, study.study)) == records_of(out, study.study)
            assert len(records_of(out, study.study)) == TRIALS
        for row in comparison.results:
            expected.append((f"{row.task} {row.method} seed {row.seed}", row.score))
    client = MlflowClient(runs)
    there = [one.experiment_id for one in client.search_experiments()]
    made = client.search_runs(there, "tags.kind = 'cell'", max_results=1000)
    shown = [(run.info.run_name, run.data.metrics["score"]) for run in made]
    assert sorted(shown) == sorted(expected)


@needs_server
def test_a_server_that_dies_costs_one_line_and_the_next_run_brings_it_up_to_date(
    tmp_path: Path,
) -> None:
    with postgresql.running() as server:
        uri = server.database("optuna")
        assert fill(uri, tmp_path, 2) == []
        server.stop()
        (line,) = fill(uri, tmp_path, 4)
        assert line.startswith("Optuna at postgresql://***@/optuna?host=")
        assert line.endswith("results are safe in the store")
        assert "\n" not in line
        assert postgresql.PASSWORD not in line
        server.start()
        assert fill(uri, tmp_path, TRIALS) == []
        assert sorted(trials_of(uri, tmp_path)) == records_of(tmp_path)
        assert len(records_of(tmp_path)) == TRIALS


@needs_server
@pytest.mark.slow
def test_a_comparison_on_a_server_shows_no_password_and_nothing_is_left_to_mend(
    server: postgresql.Server,
    checkpoint: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    runs, trials = server.database("runs"), server.database("trials")
    out = tmp_path / "runs"
    experiment = small.experiment(checkpoint, out, tracking_uri=runs, optuna_storage=trials)
    command = f"tunebench compare reviews.tsv --tracking-uri {runs} --optuna-storage={trials}"
    comparison = compare(experiment, command=command)
    assert {row.status for row in comparison.results} == {"complete"}
    assert examine(out, runs, trials) == []
    assert not (out / "optuna.db").exists()
    assert not (out / "mlflow.db").exists()
    unnamed = examine(out)
    assert len(unnamed) == 2
    assert all("which is not contacted unless you name it again" in line for line in unnamed)
    assert compare(experiment, command=command) == comparison
    shown = [caplog.text, str(unnamed), *capfd.readouterr()]
    files = [path for path in out.rglob("*") if path.is_file()]
    shown += [path.read_bytes().decode(errors="replace") for path in files]
    assert not [text[:200] for text in shown if "canary" in text]


@needs_server
def test_the_doctor_takes_the_address_and_a_dead_server_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = "postgresql://someone:canary@127.0.0.1:9/optuna"
    assert program(["doctor", f"--out={tmp_path}", f"--optuna-storage={uri}"]) == 2
    assert "no comparison" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optuna_storage": "sqlite:///x.db"}, "optuna_storage: must begin with postgresql://"),
        (
            {
                "tracking_uri": "postgresql://u:p@host/db",
                "optuna_storage": "postgresql+psycopg://v@host:5432/db",
            },
            "optuna_storage: must be another database than MLflow's",
        ),
    ],
)
@pytest.mark.skipif("psycopg" in postgresql.why_not(), reason="psycopg is not installed")
def test_an_address_that_cannot_be_meant_is_refused(
    checkpoint: Path, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_run_settings(small.experiment(checkpoint, tmp_path, **changes))
