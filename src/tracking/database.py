"""The SQLite file that MLflow's store is by default: its tables, and where its artifacts are."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from ..files import write_whole
from .address import DATABASE, quiet

UNUSABLE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
"""SQLite's codes for a file that is none of its own, is damaged, or lacks the tables."""
DECIDING = ("mlflow", "alembic", "sqlalchemy")
"""The packages whose versions decide what the tables look like."""
MODELS = (
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns that name the places of models."""


def initialise(file: Path) -> None:
    """Makes MLflow's tables in a fresh SQLite file; does nothing where the file is there.

    Making them breaks when several processes do it on one file, and a process that is killed
    meanwhile leaves a file that nobody can open. So it is done under a lock, on a file beside,
    which takes its name only when it is whole and on the disk. WAL is set here, once, for the same
    reason.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file.with_name(f".{file.name}.lock")):
        if file.exists() and file.stat().st_size > 0:
            return
        fresh = file.with_name(f".{file.name}.fresh")
        for leftover in file.parent.glob(f"{fresh.name}*"):
            leftover.unlink()
        make_tables(fresh)
        connection = sqlite3.connect(fresh)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        with fresh.open("rb") as whole:
            os.fsync(whole.fileno())
        fresh.replace(file)


def damage(file: Path) -> str:
    """What keeps MLflow from using a SQLite file, in a few words; empty where nothing does.

    A file that is locked, or that cannot be got at now, may be sound: this gives nothing.
    """
    if not file.is_file() or not file.stat().st_size:
        return ""
    return _fault(file, "rw")


def _fault(file: Path, mode: str) -> str:
    """What is wrong with the pages, the version or the tables of a SQLite file, if anything is."""
    address = f"{file.absolute().as_uri()}?mode={mode}"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            # The quick check passes over indexes, by which MLflow finds its runs.
            checked = database.execute("PRAGMA integrity_check(1)").fetchone()
            if checked != ("ok",):
                return " ".join(str(checked[0]).split())[:100]
            revisions = database.execute("SELECT version_num FROM alembic_version").fetchall()
            if revisions != [(_revision(),)]:
                return "another version of MLflow made it"
            return _lacking(database)
    except UnicodeDecodeError:
        return "names that are no text"
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return " ".join(str(error).split())[:100] if code in UNUSABLE else ""


def _lacking(database: sqlite3.Connection) -> str:
    """The first table or column that MLflow reads and that is not there."""
    quiet()
    from mlflow.store.db.base_sql_model import Base

    for name, table in sorted(Base.metadata.tables.items()):
        there = {row[1] for row in database.execute(f'PRAGMA table_xinfo("{name}")')}
        for column in table.columns.keys() if there else [""]:
            if column not in there:
                return f"no column {name}.{column}" if column else f"no table {name}"
    return ""


def _revision() -> str:
    """The state of the tables that the installed MLflow works with."""
    quiet()
    from mlflow.store.db import utils

    return str(utils._get_latest_schema_revision())  # type: ignore[no-untyped-call]


def make_tables(file: Path) -> None:
    """Makes MLflow's tables in a SQLite file of no worth yet.

    MLflow has dozens of migrations behind it, which take over a second of CPU time. Its models
    cannot replace them: tables made from those lack indexes, defaults and the names of constraints
    that later migrations ask for. So what the migrations made is kept in the user's cache folder,
    under the versions of all packages that decide it, and copied for the next output folder.
    """
    kept = _kept()
    if _is_whole(kept):
        shutil.copyfile(kept, file)
        return
    migrate(file)
    # A cache that cannot be written is none.
    with contextlib.suppress(UserError):
        write_whole(kept, file.read_bytes())


def _kept() -> Path:
    """Where the tables of the installed versions are kept."""
    versions = "-".join(importlib.metadata.version(name) for name in DECIDING)
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tunebench" / f"mlflow-{versions}.db"


def _is_whole(file: Path) -> bool:
    """Whether a kept database can be read, and its migrations came to their end."""
    return file.is_file() and file.stat().st_size > 0 and not _fault(file, "ro")


def migrate(file: Path) -> None:
    """Runs MLflow's migrations on an empty SQLite file, and lets go of it.

    Nothing waits for the disk between them: the caller sees to the file once it is whole.
    """
    quiet()
    from mlflow.store.db import utils
    from sqlalchemy import event

    engine = utils.create_sqlalchemy_engine(f"sqlite:///{file}")  # type: ignore[no-untyped-call]
    event.listen(engine, "connect", lambda one, _: one.execute("PRAGMA synchronous=OFF"))
    utils._initialize_tables(engine)  # type: ignore[no-untyped-call]
    engine.dispose()


def relocate(file: Path, artifacts: Path) -> None:
    """Points the runs of an output folder that was moved to where their artifacts are now.

    MLflow keeps absolute places. The artifacts move with the folder, so that only their beginning
    changes: each experiment's folder keeps its own name.

    Args:
        file: The folder's own database.
        artifacts: Where the folder's artifacts are.
    """
    root = artifacts.as_uri()
    connection = sqlite3.connect(file)
    try:
        places = "SELECT artifact_location FROM experiments WHERE name LIKE 'tunebench/%'"
        for (old,) in connection.execute(places).fetchall():
            new = f"{root}/{old.rpartition('/')[2]}"
            if old == new:
                continue
            with connection:
                connection.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE artifact_location = ?",
                    (new, old),
                )
                connection.execute(
                    "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                    "WHERE substr(artifact_uri, 1, ?) = ?",
                    (new, len(old) + 1, len(old) + 1, f"{old}/"),
                )
                for table, column in MODELS:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE substr({column}, 1, ?) = ?",
                        (new, len(old) + 1, len(old) + 1, f"{old}/"),
                    )
    finally:
        connection.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file; the system lets go of it when the process dies.

    Some file systems of networks have no locks. There the output folder's own lock, or its refusal,
    comes first, so that nobody else is at work here.
    """
    with path.open("w") as handle:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def unusable(reason: str) -> str:
    """The sentence for a database that the next run makes again."""
    return (
        f"{DATABASE} cannot be used ({reason}); the next run sets it aside and makes it again from "
        "the store"
    )


def made_again(reason: str, aside: Path) -> str:
    """The sentence for a database that was made again."""
    return f"{DATABASE} cannot be used ({reason}): set aside as {aside.name}, made again"
