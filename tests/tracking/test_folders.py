"""Folders that share a server, that come from somebody else, or that were moved."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.errors import UserError
from tunebench.files import file_lock, sha256
from tunebench.measure.latency import latency
from tunebench.records import Comparison, Study
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.study import serving
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.publish import Publisher, rebuild, without_secrets
from tunebench.tracking import Tracker, TrackingError
from tunebench.tracking.address import VARIABLE, Address, chosen, locate, owner_of
from tunebench.tracking.database import initialise
from tunebench.tracking.origin import cell_files
from tunebench.tracking.server import Server
from tunebench.tracking.writer import Writer

from tests import small
from tests.records import comparison

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

CANARY = "canary-d41d8cd9"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables and nothing else; making one takes seconds."""
    file = tmp_path_factory.mktemp("fresh") / "mlflow.db"
    initialise(file)
    return file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, fresh: Path) -> Path:
    """The folder of a comparison with its database, all of it in the file itself."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(fresh.read_bytes())
    put(folder, comparison(("sst2",), out=folder))
    rebuild(folder, progress=Listener())
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests names no server."""
    monkeypatch.delenv(VARIABLE, raising=False)


def publish(out: Path, uri: str | None, records: Comparison) -> None:
    """What a run of a comparison does once everything is trained."""
    tracker, analysis = Tracker(uri, out), analyse(records)
    tracker.sync(analysis, status="running")
    tracker.sync(analysis, status="finished")
    tracker.close(analysis, status="finished")


def runs_of(uri: str) -> dict[str, tuple[Any, ...]]:
    """Every run that a store shows, by id, with its times."""
    client = MlflowClient(uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(ids, max_results=1000)
    return {r.info.run_id: (r.info.run_name, r.info.start_time, r.info.end_time) for r in runs}


def put(out: Path, records: Comparison, tracking_uri: str | None = None) -> Store:
    """A store that holds the records, as a run with that address leaves it."""
    store = Store(out)
    for row in records.results:
        if row.status != "missing":
            store.put_result(row)
    for trial in records.trials:
        store.put_trial(trial)
    plan = Plan(
        id=records.id,
        experiment={**records.experiment, "tracking_uri": tracking_uri},
        tasks=records.tasks,
        methods=records.methods,
        seeds=records.seeds,
        trials=2,
        sources=records.sources,
        notes=records.notes,
        cells=tuple(
            PlannedCell(r.cell, r.study, r.task, r.method, r.seed) for r in records.results
        ),
        studies=tuple(dict.fromkeys(Study(r.study, r.task, r.method) for r in records.results)),
        references=records.references,
        command=records.command,
        created=records.created,
    )
    store.put_plan(without_secrets(plan, tracking_uri))
    return store


def test_two_folders_on_one_server_keep_their_runs(tmp_path: Path, fresh: Path) -> None:
    shared = tmp_path / "shared.db"
    shared.write_bytes(fresh.read_bytes())
    uri = f"sqlite:///{shared}"
    records = comparison(("sst2",))
    folders = [tmp_path / "mine", tmp_path / "yours"]
    for out in folders:
        out.mkdir()
        publish(out, uri, dataclasses.replace(records, created=f"2026-01-0{len(out.name)}T00:00"))
    after = runs_of(uri)
    assert len(after) == 2 * (1 + 2 + 4 + 4)
    for out in folders * 2:
        moment = dataclasses.replace(records, created=f"2026-01-0{len(out.name)}T00:00")
        publish(out, uri, moment)
        assert Tracker(uri, out).check(analyse(moment)) == []
    assert runs_of(uri) == after


def test_a_folder_keeps_its_name_and_one_that_only_looks_draws_none(tmp_path: Path) -> None:
    assert owner_of(tmp_path, make=False) == "nobody"
    assert list(tmp_path.iterdir()) == []
    name = owner_of(tmp_path, make=True)
    shutil.copytree(tmp_path, tmp_path / "moved")
    assert owner_of(tmp_path, make=True) == owner_of(tmp_path / "moved", make=False) == name
    (tmp_path / ".owner").write_text("../../etc\n")
    assert owner_of(tmp_path, make=False) == "nobody"


def test_the_folder_s_own_database_needs_no_name(tmp_path: Path, fresh: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    publish(tmp_path, None, comparison(("sst2",)))
    assert not (tmp_path / ".owner").exists()
    assert locate(f"sqlite:///{tmp_path}/mlflow.db", tmp_path).private


def test_a_moved_folder_finds_its_artifacts(tmp_path: Path, fresh: Path) -> None:
    before, after = tmp_path / "before it was moved", tmp_path / "after"
    before.mkdir()
    (before / "mlflow.db").write_bytes(fresh.read_bytes())
    records = comparison(("sst2",), out=before)
    publish(before, None, records)
    before.rename(after)
    publish(after, None, records)
    client = MlflowClient(f"sqlite:///{after}/mlflow.db")
    ids = Tracker(None, after).run_ids(analyse(records))
    assert len(ids) == len(records.results)
    for row in records.results:
        run = client.get_run(ids[row.cell])
        stored = Path(unquote(urlsplit(run.info.artifact_uri).path)) / "adapter"
        assert stored.is_relative_to(after)
        assert [file.name for file in stored.iterdir()] == [Path(row.adapter).name]
    assert not before.exists()


def test_the_environment_names_the_server_and_a_typed_one_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate(None, tmp_path).file == tmp_path / "mlflow.db"
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/other.db")
    assert locate(None, tmp_path).file == tmp_path / "other.db"
    assert locate(f"sqlite:///{tmp_path}/typed.db", tmp_path).file == tmp_path / "typed.db"
    assert chosen(None) == f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv(VARIABLE, "file:///somewhere")
    with pytest.raises(UserError, match=r"the tracking address in MLFLOW_TRACKING_URI must begin"):
        locate(None, tmp_path)


class Listener:
    """Stands in for progress and keeps its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def plan(self, *_: object) -> None: ...
    def phase(self, *_: object) -> None: ...
    def step(self, *_: object) -> None: ...
    def tried(self, *_: object) -> None: ...
    def finished(self, *_: object) -> None: ...


def test_an_address_that_only_a_record_names_is_not_contacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = comparison(("sst2",), out=tmp_path)
    put(tmp_path, records, "http://stranger.example:5000")

    def refused(*_: object) -> None:
        raise AssertionError("it was contacted")

    monkeypatch.setattr(Tracker, "_client", property(refused))
    listener = Listener()
    rebuild(tmp_path, progress=listener)
    assert "which is not contacted unless you name it again" in listener.notes[0]
    assert (tmp_path / "report.html").is_file()
    assert not (tmp_path / "mlflow.db").exists()
    assert any("http://stranger.example:5000, which is not" in line for line in examine(tmp_path))


@pytest.mark.parametrize(
    "uri",
    [
        f"http://someone:{CANARY}@host:5000",
        f"http://someone:{CANARY}/with/slashes@host:5000",
        f"postgresql://host/db?user=me&password={CANARY}",
        f"https://host/path?access_token={CANARY}&x=1",
    ],
)
def test_no_password_is_stored(uri: str, tmp_path: Path) -> None:
    records = comparison(("sst2",), out=tmp_path)
    records = dataclasses.replace(records, command=f"tunebench compare --tracking-uri '{uri}'")
    put(tmp_path, records, uri)
    rebuild(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "report.md", "results.csv", "analysis.json"} <= {
        path.name for path in files
    }
    assert not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_a_report_during_a_run_writes_the_report_and_nothing_else(
    tmp_path: Path, fresh: Path
) -> None:
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    records = comparison(("sst2",), out=tmp_path)
    put(tmp_path, records)
    ids = Tracker(None, tmp_path).sync(analyse(records), status="running")
    before = runs_of(f"sqlite:///{tmp_path}/mlflow.db")
    with file_lock(tmp_path):
        rebuild(tmp_path)
    assert runs_of(f"sqlite:///{tmp_path}/mlflow.db") == before
    text = (tmp_path / "results.csv").read_text("utf-8")
    assert all(run in text for run in ids.values())


def test_the_report_is_written_once_and_names_the_runs(
    tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    records = comparison(("sst2",), out=tmp_path)
    from tunebench.study import publish as module

    written: list[Path] = []
    original = module.write

    def watched(*arguments: Any) -> tuple[Path, ...]:
        paths = original(*arguments)
        written.extend(paths)
        return paths

    monkeypatch.setattr(module, "write", watched)
    publisher = Publisher(tmp_path, None, Listener())
    publisher.prepare()
    publisher.sync(records, "running")
    publisher.finish(records, "finished")
    assert [path.name for path in written] == [
        "results.csv",
        "analysis.json",
        "report.md",
        "report.html",
    ]
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (top,) = (
        r
        for r in runs_of(client.tracking_uri)
        if client.get_run(r).data.tags["kind"] == "comparison"
    )
    kept = Path(client.download_artifacts(top, "results.csv")).read_text("utf-8")
    assert publisher.run_ids
    assert all(run in kept for run in publisher.run_ids.values())


def test_no_run_ends_before_it_began_and_times_stay_when_it_runs_again(
    tmp_path: Path, fresh: Path
) -> None:
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    # The cells are left over from an earlier comparison, and finished before this one was made.
    records = dataclasses.replace(comparison(("sst2",)), created="2026-06-01T00:00:00+00:00")
    for _ in range(3):
        publish(tmp_path, None, records)
        times = runs_of(f"sqlite:///{tmp_path}/mlflow.db")
        assert all(start <= end for _, start, end in times.values())
    publish(tmp_path, None, records)
    assert runs_of(f"sqlite:///{tmp_path}/mlflow.db") == times


@pytest.mark.parametrize("name", ["../secret", "adapters/link", "{folder}/secret"])
def test_a_file_outside_the_folder_is_no_artifact(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "adapters").mkdir(parents=True)
    (tmp_path / "secret").write_text(CANARY)
    (out / "adapters" / "link").symlink_to(tmp_path / "secret")
    (out / "adapters" / "mine").write_text("weights")
    row = comparison(("sst2",), ("lora",), (0,)).results[0]
    stranger = name.format(folder=tmp_path)
    row = dataclasses.replace(row, adapter=stranger, predictions="adapters/mine")
    assert [file for _, file, _ in cell_files(row, out)] == ["adapters/mine"]


def uploaded(root: Path) -> list[Path]:
    """Every file among a store's artifacts."""
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_two_folders_on_a_real_server_keep_all_their_runs_and_agree(
    tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "latency", functools.partial(latency, seconds=0.0))
    checkpoint = small.make_folder(tmp_path / "tiny-bert")
    shared = tmp_path / "shared.db"
    shared.write_bytes(fresh.read_bytes())
    artifacts = tmp_path / "artifacts of the server"
    address = Address(f"sqlite:///{shared}", shared, artifacts)
    folders = {name: tmp_path / name for name in ("mine", "yours")}

    def run(out: Path, uri: str) -> Comparison:
        return compare(
            small.experiment(checkpoint, out, methods={"head": {}}, seeds=(0, 1), tracking_uri=uri)
        )

    with Server(address) as server:
        for out in folders.values():
            run(out, server.url)
        before = runs_of(server.url)
        # Each has its comparison, a study, a trial and two cells; the question is the same.
        assert len(before) == 2 * (1 + 1 + 1 + 2)
        for _ in range(2):
            for out in folders.values():
                # What was killed or damaged is made again; what is whole is left alone.
                next(iter((out / "cells").glob("*.json"))).write_text("{")
                comparison = run(out, server.url)
                assert {row.status for row in comparison.results} == {"complete"}
        assert runs_of(server.url).keys() == before.keys()
        for out in folders.values():
            assert examine(out, server.url) == []
        moved = folders["mine"].rename(tmp_path / "moved")
        assert examine(moved, server.url) == []
        run(moved, server.url)
        assert runs_of(server.url).keys() == before.keys()
        assert examine(moved, server.url) == examine(folders["yours"], server.url) == []

        # A folder from a stranger names a file outside of it, and digests that file.
        (tmp_path / "secret").write_text(CANARY)
        (record,) = list((moved / "cells").glob("*seed1*.json"))
        content = json.loads(record.read_text())
        stranger = "../secret"
        del content["files"][content["record"]["adapter"]]
        content["files"][stranger] = sha256(tmp_path / "secret")
        content["record"]["adapter"] = stranger
        body = json.dumps([content["record"], content["files"]], sort_keys=True).encode()
        content["sha256"] = hashlib.sha256(body).hexdigest()
        record.write_text(json.dumps(content))
        cell = content["record"]["cell"]
        assert Store(moved).result(cell) is None
        rebuild(moved, server.url)
        places = (artifacts, moved / "mlartifacts")
        assert not [
            file for at in places for file in uploaded(at) if CANARY in file.read_text("latin1")
        ]
        assert any("is damaged" in line for line in examine(moved, server.url))
        run(moved, server.url)
        assert examine(moved, server.url) == []
    assert runs_of(f"sqlite:///{shared}").keys() == before.keys()


def damaged(file: Path, how: str) -> None:
    """Cut a database, write over its head, or give it the tables of another time."""
    if how == "cut":
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size // 3)
    elif how == "garbled":
        file.write_bytes(b"\x00\x07garbage" * 4000)
    elif how == "no tables":
        file.unlink()
        sqlite3.connect(file).executescript("CREATE TABLE notes (text TEXT)")
    elif how == "one byte short":
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size - 1)
    else:
        with contextlib.closing(sqlite3.connect(file)) as opened, opened:
            opened.execute("PRAGMA ignore_check_constraints = ON")
            opened.execute({**STATEMENTS, **GARBLED}[how])


STATEMENTS = {
    "older": "UPDATE alembic_version SET version_num = '451aebb31d03'",
    "no table": "DROP TABLE latest_metrics",
    "another column": "ALTER TABLE runs RENAME COLUMN lifecycle_stage TO another",
}
"""What makes a database that SQLite finds whole one that MLflow cannot work with."""
GARBLED = {
    "a place that is none": "UPDATE experiments SET artifact_location = NULL",
    "bytes for a stage": "UPDATE experiments SET lifecycle_stage = x'ff'",
    "bytes for a time": "UPDATE runs SET start_time = x'ff'",
    "another last value": "UPDATE latest_metrics SET value = 7.5",
    "no last values": "DELETE FROM latest_metrics",
    "no tags": "DELETE FROM tags",
    "other parameters": "UPDATE params SET value = 'x'",
    "no runs": "DELETE FROM runs",
}
"""What may stand in its rows."""


@pytest.mark.parametrize("how", ["cut", "garbled", "no tables", "one byte short", *STATEMENTS])
def test_a_database_that_cannot_be_used_is_set_aside_and_made_again(
    how: str, tmp_path: Path, whole: Path
) -> None:
    # In a copy, since this process still has the first one open.
    tmp_path = tmp_path / "copy"
    shutil.copytree(whole, tmp_path, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    before = len(runs_of(f"sqlite:///{whole}/mlflow.db"))
    records = comparison(("sst2",))
    damaged(tmp_path / "mlflow.db", how)
    (line,) = Tracker(None, tmp_path).check(analyse(records))
    assert line.startswith("mlflow.db cannot be used (")
    assert not (tmp_path / "mlflow.db.damaged-1").exists(), "who looks changes nothing"
    listener = Listener()
    rebuild(tmp_path, progress=listener)
    (note,) = listener.notes
    assert "set aside as mlflow.db.damaged-1, made again" in note
    assert (tmp_path / "mlflow.db.damaged-1").is_file()
    assert len(runs_of(f"sqlite:///{tmp_path}/mlflow.db")) == before
    listener = Listener()
    rebuild(tmp_path, progress=listener)
    assert listener.notes == []


@pytest.mark.parametrize("how", GARBLED)
def test_rows_that_are_garbled_are_written_again(how: str, tmp_path: Path, whole: Path) -> None:
    tmp_path = tmp_path / "copy"
    shutil.copytree(whole, tmp_path, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    records = analyse(comparison(("sst2",)))
    damaged(tmp_path / "mlflow.db", how)
    assert all("\n" not in line for line in Tracker(None, tmp_path).check(records))
    listener = Listener()
    rebuild(tmp_path, progress=listener)
    assert len(listener.notes) == (tmp_path / "mlflow.db.damaged-1").exists()
    assert Tracker(None, tmp_path).check(records) == []
    listener = Listener()
    rebuild(tmp_path, progress=listener)
    assert listener.notes == []


def test_a_database_that_is_as_good_as_a_new_one_stays(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What MLflow cannot take of ours is no fault of the database.
    tmp_path = tmp_path / "copy"
    shutil.copytree(whole, tmp_path, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    before = runs_of(f"sqlite:///{tmp_path}/mlflow.db").keys()

    def refuse(self: Writer, *arguments: object) -> str:
        raise ValueError("no such value")

    monkeypatch.setattr(Writer, "write", refuse)
    records = comparison(("sst2",), seeds=(0, 1, 2))
    with pytest.raises(TrackingError, match="ValueError: no such value"):
        Tracker(None, tmp_path).sync(analyse(records), status="finished")
    assert not list(tmp_path.glob("mlflow.db.damaged*"))
    assert runs_of(f"sqlite:///{tmp_path}/mlflow.db").keys() == before


def test_somebody_else_s_database_is_never_set_aside(tmp_path: Path) -> None:
    shared = tmp_path / "shared.db"
    shared.write_bytes(b"garbage" * 1000)
    tracker = Tracker(f"sqlite:///{shared}", tmp_path / "out")
    with pytest.raises(TrackingError, match="file is not a database"):
        tracker.prepare()
    assert [path.name for path in tmp_path.glob("shared.db*")] == ["shared.db"]


def test_the_run_of_a_record_that_is_gone_for_now_stays_for_when_it_is_back(
    tmp_path: Path, fresh: Path
) -> None:
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    records = comparison(("sst2",))
    publish(tmp_path, None, records)
    before = runs_of(f"sqlite:///{tmp_path}/mlflow.db")
    first, *others = records.results
    gone = dataclasses.replace(
        first, status="missing", score=None, accuracy=None, metrics={}, latency=(), finished=""
    )
    # One process finds the record damaged, makes it again, and ends.
    tracker = Tracker(None, tmp_path)
    while_gone = analyse(dataclasses.replace(records, results=(gone, *others)))
    assert first.cell not in tracker.sync(while_gone, status="running")
    tracker.sync(analyse(records), status="running")
    tracker.sync(analyse(records), status="finished")
    tracker.close(analyse(records), status="finished")
    assert runs_of(f"sqlite:///{tmp_path}/mlflow.db").keys() == before.keys()
    assert tracker.check(analyse(records)) == []
