"""Where MLflow's store is, how it is reached quietly, and how secrets stay out of texts."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import resolved, write_whole
from ..text import redact
from .postgresql import PATIENCE_S, is_postgresql, require_driver, secrets_of

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
    # What PostgreSQL's own library reads: seconds until a server that does not answer is given up.
    "PGCONNECT_TIMEOUT": str(PATIENCE_S),
}
"""What MLflow reads when it is imported or calls; a user's own setting goes first."""

VARIABLE = "MLFLOW_TRACKING_URI"
"""Where MLflow's users set an address once for all programs."""

OWNER = ".owner"
"""The file of an output folder that names it on servers that others write to as well."""


class TrackingError(RuntimeError):
    """MLflow could not be written or read; the text says why in one line, without secrets."""


def quiet() -> None:
    """Sets `ENVIRONMENT` where the user has not; to be called before mlflow is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # What it logs beside its exceptions is a traceback, on the terminal.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Address:
    """A store: its address for MLflow, its file if it is SQLite, and where its artifacts go."""

    uri: str
    file: Path | None
    artifacts: Path | None
    """None where a server decides."""
    private: bool = False
    """Whether it is the output folder's own database, which holds nobody else's runs."""

    @property
    def is_missing(self) -> bool:
        """Whether it is a file that is not there, or an empty one, in which MLflow makes tables."""
        file = self.file
        return file is not None and not (file.exists() and file.stat().st_size)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password of the address, as typed and as decoded."""
        return secrets_of(self.uri)

    @property
    def shown(self) -> str:
        """The address as people may see it."""
        return redact(self.uri, self.secrets)


def locate(uri: str | None, out: Path) -> Address:
    """The store of a run: the address that was typed, else the environment's, else a file in `out`.

    Raises:
        UserError: The address has no scheme that MLflow can write to, or the package that its
            database is reached by is missing.
    """
    out = resolved(out)
    source = "a tracking address" if uri else f"the tracking address in {VARIABLE}"
    uri = chosen(uri)
    private = out / DATABASE
    if uri is None:
        return Address(f"sqlite:///{private}", private, out / ARTIFACTS, private=True)
    scheme = uri.partition("://")[0].partition("+")[0]
    if "://" not in uri or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UserError(f"{source} must begin with one of {known} but got '{redact(uri)}'")
    if scheme == "sqlite":
        file = resolved(uri.removeprefix("sqlite:///"))
        return Address(f"sqlite:///{file}", file, out / ARTIFACTS, private=file == private)
    if is_postgresql(uri):
        require_driver(uri)
    served = scheme in ("http", "https", "databricks")
    return Address(uri, None, None if served else out / ARTIFACTS)


def chosen(uri: str | None) -> str | None:
    """The address that a person named: typed, or else set in the environment; none where neither.

    What a folder's records name is not among these: the folder may come from somebody else.
    """
    return uri or os.environ.get(VARIABLE) or None


def owner_of(out: Path, *, make: bool) -> str:
    """The name of an output folder on servers that others write to as well.

    It is drawn once and kept in the folder, so that it stays when the folder is moved.

    Args:
        out: The output folder.
        make: Draw a name where there is none; otherwise that gives "nobody".
    """
    file = out / OWNER
    if file.is_file():
        with file.open("rb") as opened:
            name = opened.read(100).decode(errors="replace").strip()
        if name.isascii() and name.isalnum():
            return name
    if not make:
        return "nobody"
    name = secrets.token_hex(6)
    write_whole(file, name.encode())
    return name
