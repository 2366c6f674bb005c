"""Opening Optuna's database: the file of an output folder, or a PostgreSQL server.

On a server several folders may have the same study: its name there begins with the folder's.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from ..tracking.address import owner_of
from ..tracking.postgresql import PATIENCE_S, server_lock
from .search import TRIAL_NUMBER

DATABASE = "optuna.db"
UNREADABLE = (
    SQLAlchemyError,
    sqlite3.Error,
    optuna.exceptions.OptunaError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)
"""What Optuna raises on a file that is cut, garbled, or of another version's schema: a value that
is no number, a name that no list has."""


def storage(out: Path, uri: str | None = None) -> optuna.storages.RDBStorage:
    """Optuna's SQLite database of an output folder, or a PostgreSQL database.

    Raises:
        SQLAlchemyError: The server does not answer.
    """
    # Of a damaged file it warns in many lines before it raises what we show in one.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if uri is not None:
        with server_lock(uri):
            served = {"connect_args": {"connect_timeout": PATIENCE_S}, "pool_pre_ping": True}
            return optuna.storages.RDBStorage(uri, engine_kwargs=served)
    engine = {"connect_args": {"timeout": 60}}
    database = optuna.storages.RDBStorage(f"sqlite:///{out / DATABASE}", engine_kwargs=engine)
    event.listen(database.engine, "connect", _unhurried)
    database.engine.dispose()
    return database


def _unhurried(connection: sqlite3.Connection, _: object) -> None:
    """Wait for the disk at checkpoints only: what a power cut takes, the store gives back."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def study_name(out: Path, study: str, uri: str | None) -> str:
    """What a folder's study is called in Optuna's database."""
    return study if uri is None else f"{owner_of(out, make=True)}/{study}"


def number_of(trial: FrozenTrial) -> int | None:
    """Our number of a trial in Optuna's database; none where somebody else added it."""
    number = trial.user_attrs.get(TRIAL_NUMBER)
    return number if isinstance(number, int) else None
