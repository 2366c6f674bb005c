"""Interrupted and terminated runs: both unwind as Ctrl-C does, and the exit code tells which."""

from __future__ import annotations

# Until the signals are received, Ctrl-C is answered by a traceback: every import counts here.
import signal
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """The signal that stopped the run; none while it goes on."""

    def __init__(self) -> None:
        """No signal has come."""
        self.number: int | None = None

    @property
    def code(self) -> int:
        """The shell's exit code for it: 130 for Ctrl-C, 143 for a termination."""
        return 128 + (self.number or signal.SIGINT)


class stoppable:
    """Raise KeyboardInterrupt on both signals, and remember which it was.

    The signal is remembered because what runs below may turn the exception into its own. Outside
    the main thread Python lets nobody receive signals, and nothing is changed.
    """

    def __enter__(self) -> Stop:
        """Receive both signals."""
        stop = Stop()

        def receive(number: int, frame: FrameType | None) -> None:
            stop.number = number
            raise KeyboardInterrupt

        self._before = {}
        try:
            for number in STOPS:
                self._before[number] = signal.signal(number, receive)
        except ValueError:
            self._before = {}
        return stop

    def __exit__(self, *_: object) -> None:
        """Let whoever received them before receive them again."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
