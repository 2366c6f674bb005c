"""MLflow's runs on a real PostgreSQL server: eight writers, a dead server, and no password."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.errors import UserError
from tunebench.tracking import Tracker, TrackingError
from tunebench.tracking import postgresql as module
from tunebench.tracking.address import locate
from tunebench.tracking.differ import KEY
from tunebench.tracking.plan import Planner
from tunebench.tracking.postgresql import is_postgresql, require_driver

from tests import postgresql
from tests.records import comparison
from tests.tracking.folders import publish

needs_server = pytest.mark.skipif(bool(postgresql.why_not()), reason=postgresql.why_not())
WRITERS = 8


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    with postgresql.running() as running:
        yield running


@needs_server
@pytest.mark.slow
def test_eight_writers_on_an_empty_database_lose_and_double_nothing(
    server: postgresql.Server, tmp_path: Path
) -> None:
    uri = server.database("eight")

    def writes(number: int) -> None:
        out = tmp_path / f"out{number}"
        out.mkdir()
        assert Tracker(uri, out).prepare() == ""
        publish(out, uri, comparison(tasks=("sst2", "mrpc"), out=out))

    assert postgresql.together(writes, WRITERS) == [0] * WRITERS
    client = MlflowClient(uri)
    experiments = client.search_experiments(filter_string="name LIKE 'tunebench/%'")
    assert len(experiments) == WRITERS
    for number in range(WRITERS):
        out = tmp_path / f"out{number}"
        whole = comparison(tasks=("sst2", "mrpc"), out=out)
        tracker = Tracker(uri, out)
        assert tracker.check(analyse(whole)) == []
        runs = tracker._runs(whole)
        planned = {run.key: run for run in Planner(analyse(whole), "finished", out).runs()}
        assert runs.keys() == planned.keys()
        for key, (run, *others) in runs.items():
            assert others == []
            assert run.data.tags[KEY] == key
            for name, value in planned[key].metrics.items():
                assert run.data.metrics[name] == pytest.approx(value, rel=1e-12)
            for name, points in planned[key].curves.items():
                history = client.get_metric_history(run.info.run_id, name)
                assert sorted((one.step, one.value) for one in history) == sorted(points)


@needs_server
def test_a_server_that_dies_costs_one_line_and_a_later_run_brings_it_up_to_date(
    tmp_path: Path,
) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",), out=tmp_path)
    with postgresql.running() as server:
        uri = server.database("runs")
        tracker = Tracker(uri, tmp_path)
        tracker.prepare()
        server.stop()
        with pytest.raises(TrackingError) as caught:
            tracker.sync(analyse(whole), status="finished")
        with pytest.raises(TrackingError) as at_start:
            Tracker(uri, tmp_path).prepare()
        for error in (caught.value, at_start.value):
            assert str(error).count("\n") == 0
            assert "MLflow at postgresql://***@/runs" in str(error)
            assert postgresql.PASSWORD not in str(error)
        server.start()
        publish(tmp_path, uri, whole)
        assert Tracker(uri, tmp_path).check(analyse(whole)) == []


@needs_server
def test_a_password_is_seen_nowhere(
    server: postgresql.Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    uri = server.database("quiet")
    wrong = uri.replace("canary", "canary-wrong")
    whole = comparison(tasks=("sst2",), methods=("lora",), out=tmp_path)
    whole = dataclasses.replace(
        whole,
        experiment={**whole.experiment, "tracking_uri": uri},
        command=f"tunebench compare sst2 --tracking-uri {uri}",
    )
    with pytest.raises(TrackingError) as caught:
        Tracker(wrong, tmp_path).prepare()
    assert "password authentication failed" in str(caught.value)
    publish(tmp_path, uri, whole)
    client = MlflowClient(uri)
    ids = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(ids, max_results=100)
    assert len(runs) > 3
    shown = [
        str(caught.value),
        caplog.text,
        *capfd.readouterr(),
        str([r.to_dictionary() for r in runs]),
    ]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    shown += [path.read_bytes().decode(errors="replace") for path in files]
    assert not [text for text in shown if "canary" in text]


def test_an_address_that_no_driver_reaches_is_refused_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_postgresql("postgresql+psycopg://host/db")
    assert not is_postgresql("sqlite:///postgresql.db")
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'tunebench\[postgresql\]'"):
        locate("postgresql://host/db", tmp_path)
    with pytest.raises(UserError, match="needs psycopg2"):
        locate("postgresql+psycopg2://host/db", tmp_path)
    with pytest.raises(UserError, match="must begin with postgresql://"):
        require_driver("postgresql+asyncpg://host/db")


@needs_server
def test_who_makes_tables_is_alone_in_it(server: postgresql.Server) -> None:
    """A second holder waits until the first one lets go, or dies."""
    import psycopg

    uri = server.database("alone")

    def free() -> bool:
        with psycopg.connect(uri, autocommit=True) as connection:
            question = "SELECT pg_try_advisory_lock(%s)"
            answer = connection.execute(question, (module.LOCK,)).fetchone()
            assert answer is not None
            return bool(answer[0])

    with module.server_lock(uri):
        assert not free()
    assert free()
    with pytest.raises(ZeroDivisionError), module.server_lock(uri):
        _ = 1 / 0
    assert free()
