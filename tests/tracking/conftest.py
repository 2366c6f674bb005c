"""A database that is ready, a whole folder, and an environment that names no server."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from tunebench.study.publish import rebuild
from tunebench.tracking.address import VARIABLE
from tunebench.tracking.database import initialise

from tests.records import comparison
from tests.tracking.folders import Listener, put


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


@pytest.fixture
def out(tmp_path: Path, fresh: Path) -> Path:
    """An output folder whose database is ready."""
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    return tmp_path


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests names no server."""
    monkeypatch.delenv(VARIABLE, raising=False)
