"""A damaged `mlflow.db` is set aside or mended from the store, and only the folder's own."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from tunebench.analysis import analyse
from tunebench.study.publish import rebuild
from tunebench.tracking import Tracker, TrackingError
from tunebench.tracking.writer import Writer

from tests.records import comparison
from tests.tracking.folders import Listener, runs_of

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


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
