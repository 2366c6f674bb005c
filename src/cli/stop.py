"""Interrupted and terminated runs: both unwind as Ctrl-C does, and the exit code tells which."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """The signal that stopped the run."""

    number: int | None = None

    @property
    def code(self) -> int:
        """The shell's exit code for it: 130 for Ctrl-C, 143 for a termination."""
        return 128 + (self.number or signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Raise KeyboardInterrupt on both signals, and remember which it was.

    The signal is remembered because what runs below may turn the exception into its own.
    """
    stop = Stop()

    def receive(number: int, frame: FrameType | None) -> None:
        stop.number = number
        raise KeyboardInterrupt

    before = {number: signal.signal(number, receive) for number in STOPS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
