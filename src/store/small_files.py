"""Small files that several processes share: read whole or as empty, written without ceremony."""

from __future__ import annotations

import os
from pathlib import Path

from ..files import writing

LARGEST = 64 * 2**20
"""Bytes that are read of a file."""


def names(folder: Path) -> list[str]:
    """The names in a folder but for hidden ones; empty where there is no such folder."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []


def read(path: Path) -> str:
    """A file's text; empty where it is gone, too large, or no text."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        return content.decode() if len(content) <= LARGEST else ""
    except (OSError, UnicodeDecodeError):
        return ""


def write(path: Path, text: str, *, sync: bool = False) -> None:
    """Write a file, for its owner alone; a reader may see it half written.

    Args:
        path: The file; no link is followed.
        text: Its content.
        sync: Whether it is on the disk when this ends.

    Raises:
        CannotWrite: The folder cannot be written to, or the disk is full.
    """
    flags = os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_WRONLY
    with writing(path), open(os.open(path, flags, 0o600), "wb") as file:
        file.write(text.encode())
        if sync:
            file.flush()
            os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        CannotWrite: Its folder cannot be written to.
    """
    with writing(path):
        path.unlink(missing_ok=True)


def changed(path: Path) -> float | None:
    """A file's time of change, none where it is gone.

    It is opened for that, since a network file system then asks its server.
    """
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
