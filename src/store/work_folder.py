"""The folder `work` of an output folder, in which processes share small files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ..files import writing


class WorkFolder:
    """Its place, its folders, and the time as its file system has it."""

    FOLDERS: ClassVar[tuple[str, ...]] = ()
    """The names of those that are written to."""

    def __init__(self, out: Path, touch: Callable[[Path], None] = os.utime) -> None:
        """Nothing is made before something is written.

        Args:
            out: The folder of results.
            touch: Sets a file's time of change to the file system's present.
        """
        self.folder = out / "work"
        self._touch = touch

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            CannotWrite: They cannot be written to.
        """
        with writing(self.folder):
            for name in self.FOLDERS:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.now()

    def now(self) -> float:
        """The time, in seconds, as the file system has it."""
        path = self.folder / "clock"
        with writing(path):
            path.touch(mode=0o600)
            self._touch(path)
            return path.stat().st_mtime
