"""MLflow's tables are made once by its own migrations, and copied from then on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tunebench.tracking import Tracker, database
from tunebench.tracking.database import initialise

from tests.records import comparison
from tests.tracking.mirrored import sync

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tunebench"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What MLflow's own migrations make of an empty file."""
    file = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    database.migrate(file)
    return file


def schema(file: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Every table, column, index and constraint as its statement, and the last migration."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return connection.execute(query).fetchall(), revision


def counted(monkeypatch: pytest.MonkeyPatch, migrated: Path) -> list[Path]:
    """Stands in for the migrations, which take seconds, and counts them."""
    calls: list[Path] = []

    def migrate(file: Path) -> None:
        calls.append(file)
        file.write_bytes(migrated.read_bytes())

    monkeypatch.setattr(database, "migrate", migrate)
    return calls


def test_the_second_folder_has_the_tables_that_the_migrations_made(
    cache: Path, tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, migrated)
    for name in ("first", "second"):
        initialise(tmp_path / name / "mlflow.db")
        assert schema(tmp_path / name / "mlflow.db") == schema(migrated)
    assert len(calls) == 1
    assert [path.suffix for path in cache.iterdir()] == [".db"]


@pytest.mark.parametrize("cut", [0, 10, 5000])
def test_a_kept_file_that_is_damaged_is_made_again(
    cut: int, cache: Path, tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, migrated)
    initialise(tmp_path / "first" / "mlflow.db")
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:cut])
    initialise(tmp_path / "second" / "mlflow.db")
    assert len(calls) == 2
    assert schema(tmp_path / "second" / "mlflow.db") == schema(migrated) == schema(kept)


def test_other_versions_have_other_tables(
    cache: Path, tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch, migrated)
    initialise(tmp_path / "first" / "mlflow.db")
    monkeypatch.setattr(database, "DECIDING", ("alembic",))
    initialise(tmp_path / "second" / "mlflow.db")
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_is_none(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    calls = counted(monkeypatch, migrated)
    for name in ("first", "second"):
        initialise(tmp_path / name / "mlflow.db")
        assert schema(tmp_path / name / "mlflow.db") == schema(migrated)
    assert len(calls) == 2


def test_workers_that_start_together_share_one_fresh_database(tmp_path: Path) -> None:
    (tmp_path / ".mlflow.db.fresh").write_bytes(b"left by a process that was killed")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(initialise, [tmp_path / "mlflow.db"] * 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sync(Tracker(None, tmp_path), comparison())


@pytest.mark.slow
def test_processes_that_start_together_share_one_fresh_database(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tunebench.tracking import Tracker; "
        "Tracker(None, Path(sys.argv[1])).prepare()"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    printed = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, printed
    assert printed == [b""] * 4
    assert sync(Tracker(None, tmp_path), comparison())
