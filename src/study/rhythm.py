"""How often something costly is done again while a run goes on: its share of the time is bounded.

What takes longer the more there is, as a look at all cells does, then comes more and more seldom;
done after each cell it would cost a run of n cells n² in all.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

SHARE = 0.05
"""Of the time of a run, for what is only shown of it meanwhile."""


class Rhythm:
    """Says when it is time again."""

    def __init__(self, share: float = SHARE, clock: Callable[[], float] = time.monotonic) -> None:
        """The first time is now.

        Args:
            share: Of the time; at most so much is spent.
            clock: Gives seconds since any moment.
        """
        self._share, self._clock = share, clock
        self._next = -math.inf

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last one, for what that took."""
        return self._clock() >= self._next

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Do it, and wait in proportion to the seconds that it takes."""
        begin = self._clock()
        try:
            yield
        finally:
            end = self._clock()
            self._next = end + (end - begin) * (1 / self._share - 1)
