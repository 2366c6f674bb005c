"""What a training takes: seconds, memory, energy, and the tokens that it reads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

import torch

from ..data.text.batches import Batches
from ..measure.energy import Energy, metered
from ..measure.memory import Peak, peak_memory
from ..records import TrainingCost
from .unfinished import Position, Saver
from .watch import EpochScores, Watch


class Meter:
    """The cost of a training, with what a process before took of it."""

    def __init__(self, begun: Position | None) -> None:
        """Nothing is measured yet.

        Args:
            begun: Where the training goes on; none where it begins.
        """
        self.begun = Position(0, 0, 0) if begun is None else begun
        self.resumed = begun is not None
        self.apart: Sequence[EpochScores | Saver] = ()
        """What is not counted: judging, keeping."""
        self._begin = 0.0
        self._peak, self._energy = Peak(), Energy()

    @contextlib.contextmanager
    def running(self, device: torch.device, *, energy: bool) -> Iterator[None]:
        """The training.

        Args:
            device: Where.
            energy: Whether nothing else trains here, so that its energy may be counted. Of a
                training that goes on a part is not known.
        """
        counted = energy and not self.resumed
        with peak_memory(device) as self._peak, metered(device, wanted=counted) as self._energy:
            self._begin = time.perf_counter()
            try:
                yield
            finally:
                # They know us: a circle would keep the network until Python's collector comes by.
                self.apart = ()

    def seconds(self) -> float:
        """Of the training until now."""
        passed = time.perf_counter() - self._begin
        return self.begun.seconds + passed - sum(one.seconds for one in self.apart)

    def memory_mib(self) -> float | None:
        """The highest until now; none where this system cannot tell."""
        known = (self.begun.memory_mib, self._peak.so_far())
        return max((one for one in known if one is not None), default=None)

    def cost(
        self, loader: Batches, groups: Iterable[Sequence[int]], watch: Watch, scores: EpochScores
    ) -> TrainingCost:
        """What the training took, once it has ended.

        Args:
            loader: Its rows.
            groups: Those that went through the backbone together, as often as they did.
            watch: Its curve.
            scores: Its validation scores.
        """
        tokens, padded = loader.tokens(groups)
        return TrainingCost(
            tokens, padded, tuple(watch.seconds), tuple(scores.reached), self._energy.joules
        )
