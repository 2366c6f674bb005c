"""Files that are written whole or not at all, and a folder that one process works in at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import CannotWrite, UserError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name a file or a folder where the system does not let it be written.

    Raises:
        CannotWrite: In the place of the system's error.
    """
    try:
        yield
    except OSError as error:
        # Libraries put words of their own around the system's reason; its number says it plainly.
        reason = os.strerror(error.errno) if error.errno else error
        raise CannotWrite(f"cannot write {path}: {reason}") from error


@contextlib.contextmanager
def keeping_first_error() -> Iterator[None]:
    """Put things in order, also after an error: where that fails too, the first one is raised.

    What could not be written comes up again wherever the same folder is written to.
    """
    first = sys.exception()
    try:
        yield
    except (UserError, OSError):
        if first is None:
            raise


def write_whole(path: Path, content: bytes | memoryview, *, private: bool = True) -> None:
    """Put the content where the path says; a reader sees the old file or the new one.

    Args:
        path: The file; its folder is made where it is missing.
        content: All of it.
        private: Whether only the user who runs this may read it, as what may hold texts.

    Raises:
        CannotWrite: The folder cannot be written to, or the disk is full.
    """
    with replacing(path, private=private) as beside, beside.open("wb") as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = True) -> Iterator[Path]:
    """Gives a path to write to; what stands there takes the other path's name in the end.

    The temporary file stands beside the target, since a rename is atomic only within a file system.
    Its name cannot be guessed, and it is made anew: a link that waits there is not followed. After
    an error it is gone, and the target is what it was.

    Raises:
        CannotWrite: The folder cannot be written to, or the disk is full.
    """
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY
            os.close(os.open(beside, flags, 0o600 if private else 0o666))
            yield beside
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


OUT_OF_REACH = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""SQLite's codes where the file itself may be sound: it must stay where it is."""


def is_out_of_reach(error: BaseException) -> bool:
    """Whether SQLite, or the system, could not get at a database, rather than make sense of it."""
    # Optuna, MLflow and SQLAlchemy each wrap what sqlite3 raised.
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error | OSError | MemoryError):
        cause = getattr(cause, "orig", None) or cause.__cause__
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in OUT_OF_REACH
    return cause is not None


def at_home(path: str | Path) -> Path:
    """The path, a leading `~` read as the home folder: shells leave that alone in `--out=~/runs`.

    Where nobody has the name in `~name` it stays as it is.
    """
    return Path(os.path.expanduser(path))


def resolved(path: str | Path) -> Path:
    """The absolute path without links.

    `Path.resolve` raises a RuntimeError at links that lead to each other; here they stay as they
    are, so that opening the path is what fails.
    """
    return Path(os.path.realpath(path))


def set_aside(path: Path) -> Path:
    """Rename an SQLite database that cannot be used, with its log: a new one can take its place.

    Returns:
        Where it is now: the first free name, such as `optuna.db.damaged-1`.
    """
    aside = next(
        name
        for number in range(1, 10_000)
        if not (name := path.with_name(f"{path.name}.damaged-{number}")).exists()
    )
    for ending in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            os.replace(beside, aside.with_name(aside.name + ending))
    return aside


def put_back(aside: Path, path: Path) -> None:
    """Undo `set_aside`, where what was made in the place of the database is of no use either."""
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
        beside = aside.with_name(aside.name + ending)
        if beside.exists():
            os.replace(beside, path.with_name(path.name + ending))


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_held: list[IO[str]] = []
"""The files whose locks this process holds."""


@contextlib.contextmanager
def file_lock(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes; the system lets go of it when this one dies.

    Raises:
        UserError: Where another process holds it; the text names the owner and the age.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a+")
    except OSError as error:
        raise UserError(f"cannot write into '{folder}': {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another run is working in '{folder}' ({_owner(file.name)})") from None
        except OSError as error:
            raise UserError(
                f"'{folder}' cannot be locked against other runs: {error.strerror or error}"
            ) from error
        file.truncate(0)
        file.write(
            json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        )
        file.flush()
        _held.append(file)
        try:
            yield
        finally:
            _held.remove(file)


def close_inherited_locks() -> None:
    """In a forked process: leave its parent's locks to the parent alone.

    A lock is let go when the last process closes the file that it is on. Open in a fork as well,
    it would hold for a moment longer than the parent lives.
    """
    for file in _held:
        file.close()
    _held.clear()


def busy(folder: Path) -> bool:
    """Whether a process holds the folder now; nothing is written to find out.

    Raises:
        UserError: The file system cannot say.
    """
    try:
        with (folder / ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise UserError(
            f"cannot tell whether a run works in '{folder}': {error.strerror or error}"
        ) from error


def _owner(path: str) -> str:
    try:
        owner = json.loads(Path(path).read_text("utf-8"))
        age = max(0, int(time.time() - owner["since"]))  # its host's clock may be ahead
        return f"process {owner['pid']} on {owner['host']}, for {age} s"
    except (ValueError, KeyError, OSError):
        return "its owner did not say who it is"
