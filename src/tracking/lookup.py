"""Which record an MLflow run shows, asked of the folder's own database or of a server."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from .address import DATABASE, Address, TrackingError, chosen, locate, quiet
from .differ import KEY


def key_of(run_id: str, out: Path) -> str | None:
    """The comparison and the record that a run shows, where a run of ours has that id.

    The folder's own database is read without MLflow, whose import takes seconds; a server or
    another database is asked where the environment names one.

    Args:
        run_id: An MLflow run id.
        out: The folder of results.

    Returns:
        `COMPARISON/RECORD`, the record a cell, a study, a trial or "comparison".

    Raises:
        TrackingError: The server that the environment names cannot be asked.
    """
    key = _of_file(run_id, locate(f"sqlite:///{out / DATABASE}", out))
    if key is None and chosen(None) is not None:
        key = _of_store(run_id, locate(None, out))
    return key


def _of_file(run_id: str, address: Address) -> str | None:
    file = address.file
    if file is None or not file.is_file():
        return None
    with contextlib.suppress(sqlite3.Error):
        uri = f"{file.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            row = database.execute(
                "SELECT value FROM tags WHERE run_uuid = ? AND key = ?", (run_id, KEY)
            ).fetchone()
            return None if row is None else str(row[0])
    return None


def _of_store(run_id: str, address: Address) -> str | None:
    quiet()
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        key: str | None = MlflowClient(address.uri).get_run(run_id).data.tags.get(KEY)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise TrackingError(f"MLflow at {address.shown} cannot be asked for a run") from None
    return key
