"""Files that are written whole or not at all, and a folder that one process works in at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import UserError


def write_whole(path: Path, content: bytes) -> None:
    """Put the content where the path says; a reader sees the old file or the new one.

    The temporary file stands beside the target, since a rename is atomic only within a file system.

    Raises:
        UserError: Where the folder cannot be written to, or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def file_lock(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes; the system lets go of it when this one dies.

    Raises:
        UserError: Where another process holds it; the text names the owner and the age.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"another run is working in '{folder}' ({_owner(file.name)})") from None
        file.truncate(0)
        file.write(
            json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})
        )
        file.flush()
        yield


def busy(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        with (folder / ".lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _owner(path: str) -> str:
    try:
        owner = json.loads(Path(path).read_text("utf-8"))
        age = int(time.time() - owner["since"])
        return f"process {owner['pid']} on {owner['host']}, for {age} s"
    except (ValueError, KeyError, OSError):
        return "its owner did not say who it is"
