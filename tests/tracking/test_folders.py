"""Folders that share a server, that come from somebody else, or that were moved."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.errors import UserError
from tunebench.files import file_lock, sha256
from tunebench.records import Comparison
from tunebench.store.store import Store
from tunebench.study import serving
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.publish import Publisher, rebuild
from tunebench.tracking import Tracker
from tunebench.tracking.address import VARIABLE, Address, chosen, locate, owner_of
from tunebench.tracking.connection import Connection
from tunebench.tracking.origin import cell_files
from tunebench.tracking.server import Server

from tests import small, steady
from tests.records import comparison
from tests.tracking.folders import Listener, publish, put, runs_of

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


CANARY = "canary-d41d8cd9"


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


def test_an_address_that_only_a_record_names_is_not_contacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = comparison(("sst2",), out=tmp_path)
    put(tmp_path, records, "http://stranger.example:5000")

    def refused(*_: object) -> None:
        raise AssertionError("it was contacted")

    monkeypatch.setattr(Connection, "client", property(refused))
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
    publisher = Publisher(Store(tmp_path), None, Listener())
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
    monkeypatch.setattr(serving, "latency", steady.latency)
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
