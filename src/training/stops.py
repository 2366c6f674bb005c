"""Ctrl-C and SIGTERM while a training runs: the step that runs is finished first.

A second Ctrl-C does not wait. A second SIGTERM does where somebody receives it, as the program
does; a worker process, which nobody else listens to, may get one from its group and one from the
process that started it, and finishes its step all the same.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, NoReturn

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Stops:
    """The signals that ask this process to stop, while a training runs.

    Lightning receives them too once its loop is entered, so that they are taken over from it when
    the training starts (`take_over`), and given back in the end to who received them before.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._number: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._number is not None

    def __enter__(self) -> Stops:
        """Remember who receives the signals; outside the main thread nothing can be received."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        """Let them receive the signals again."""
        self.give_back()

    def take_over(self) -> None:
        """Receive the signals, but for one that is ignored."""
        for number, before in self._before.items():
            if before not in (signal.SIG_IGN, None):
                signal.signal(number, self._receive)

    def give_back(self) -> None:
        """Let who received the signals before receive them again."""
        for number, before in self._before.items():
            if before is not None:
                signal.signal(number, before)

    def stop(self) -> NoReturn:
        """Pass the signal on, now that nothing is under way.

        Raises:
            KeyboardInterrupt: Always, unless who received it before raises something else.
        """
        self.give_back()
        before = self._before.get(self._number or 0)
        if callable(before):
            before(self._number, None)
        raise KeyboardInterrupt("asked to stop")

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self._number = self.asked, number
        before = self._before[number]
        if again and callable(before):
            self.give_back()
            before(number, frame)
