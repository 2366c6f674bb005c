"""Where MLflow's store is, how it is reached quietly, and how secrets stay out of texts."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..errors import UserError

SCHEMES = ("databricks", "http", "https", "mssql", "mysql", "postgresql", "sqlite")
DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    # Two tries of four seconds: a server that never answers delays a run by less than ten.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}
"""What MLflow reads when it is imported or calls; a user's own setting goes first."""

CREDENTIALS = re.compile(r"(\w[\w+.-]*://)\S*@")
QUERY_SECRET = re.compile(r"([?&](?:password|token|secret|api_key)=)[^\s&'\"]+", re.IGNORECASE)


class TrackingError(RuntimeError):
    """MLflow could not be written or read; the text says why in one line, without secrets."""


def quiet() -> None:
    """Sets `ENVIRONMENT` where the user has not: to be called before mlflow is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text with user names and passwords of addresses masked, and `secrets` anywhere."""
    text = CREDENTIALS.sub(r"\1***@", text)
    text = QUERY_SECRET.sub(r"\1***", text)
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


@dataclass(frozen=True)
class Address:
    """A store: its address for MLflow, its file if it is SQLite, and where its artifacts go."""

    uri: str
    file: Path | None
    artifacts: Path | None
    """None where a server decides."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password of the address, as typed and as decoded."""
        password = urlsplit(self.uri).password
        return tuple({password, unquote(password)}) if password else ()

    @property
    def shown(self) -> str:
        """The address as people may see it."""
        return redact(self.uri, self.secrets)


def locate(uri: str | None, out: Path) -> Address:
    """The store of a run: `uri`, or without one a SQLite file inside `out`.

    Raises:
        UserError: The address has no scheme that MLflow can write to.
    """
    out = out.resolve()
    if uri is None:
        file = out / DATABASE
        return Address(f"sqlite:///{file}", file, out / ARTIFACTS)
    scheme = uri.partition("://")[0].partition("+")[0]
    if "://" not in uri or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UserError(
            f"a tracking address must begin with one of {known} but got '{redact(uri)}'"
        )
    if scheme == "sqlite":
        file = Path(uri.removeprefix("sqlite:///")).resolve()
        return Address(f"sqlite:///{file}", file, out / ARTIFACTS)
    return Address(
        uri,
        None,
        None if scheme in ("http", "https", "databricks") else out / ARTIFACTS,
    )


def initialise(file: Path) -> None:
    """Makes MLflow's tables in a fresh SQLite file; does nothing where the file is there.

    MLflow's migrations break when several processes run them on one file, and a process killed
    among them leaves a file that nobody can open. So they run under a lock, on a file beside,
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
        migrate(fresh)
        connection = sqlite3.connect(fresh)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        with fresh.open("rb") as whole:
            os.fsync(whole.fileno())
        fresh.replace(file)


def migrate(file: Path) -> None:
    """Runs MLflow's migrations on a SQLite file of no worth yet, and lets go of it.

    Nothing waits for the disk between them: the caller sees to the file once it is whole.
    """
    quiet()
    from mlflow.store.db import utils
    from sqlalchemy import event

    logger = logging.getLogger(utils.__name__)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        engine = utils.create_sqlalchemy_engine(f"sqlite:///{file}")  # type: ignore[no-untyped-call]
        event.listen(engine, "connect", lambda one, _: one.execute("PRAGMA synchronous=OFF"))
        utils._initialize_tables(engine)  # type: ignore[no-untyped-call]
        engine.dispose()
    finally:
        logger.setLevel(level)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on a file; the system lets go of it when the process dies."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
