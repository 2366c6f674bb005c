"""A store that reads a record once, for a process that asks for the same ones over and over.

To read one is to hold it, and the files that it names, against their digests. Whether they are what
they were is then seen by the system's own marks: inode, size and time of change of each file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .record_file import Record, files_of
from .store import Store

Stamp = tuple[tuple[int, int, int], ...]
"""Inode, size and time of change in ns of a record's file, and of each that it names."""


class RememberingStore(Store):
    """Records in a folder, each read again only where one of its files has changed."""

    def __init__(self, out: Path) -> None:
        """Nothing is read yet."""
        super().__init__(out)
        self._known: dict[Path, tuple[Stamp, Any]] = {}

    def _get(self, kind: type[Record], path: Path) -> Record | None:
        record: Record | None
        before = _stamp(path)
        stamp, record = self._known.get(path, ((), None))
        if record is not None and self._stamp_of(before, record) == stamp:
            return record
        record = super()._get(kind, path)
        if record is not None:
            # By the stamp from before: one that changes meanwhile is read again the next time.
            self._known[path] = self._stamp_of(before, record), record
        return record

    def _stamp_of(self, first: Stamp, record: object) -> Stamp:
        return sum((_stamp(self.out / name) for name in files_of(record)), first)


def _stamp(path: Path) -> Stamp:
    """Of one file; none where it is gone."""
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return ((stat.st_ino, stat.st_size, stat.st_mtime_ns),)
