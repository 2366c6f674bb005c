"""Latency of methods beside the base model: the grid of batches and lengths, a point at a time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..data.text.batches import Batch
from ..data.text.tokens import Encoded
from ..errors import UserError
from ..measure.interleaved import time_in_turn
from ..measure.memory import MIB, available, out_of_memory
from ..measure.ratio import FEWEST, Timing
from ..methods.base import Method
from ..progress import Progress
from .grid import Grid, Length
from .operations import forward_operations
from .passes import Kind, compiled, run_of
from .subjects import Form, Subject, base_of, subjects
from .texts import padding_share, random_batch, served_batch

CLASSIFY: tuple[Kind, ...] = ("classify",)
DECODE: tuple[Kind, ...] = ("classify", "prefill", "new token")
NO_MEMORY = "not enough memory"
PATIENCE = 4
"""A point may take so many times the seconds that were allowed, for the rounds that it needs."""
LONG = 0.05
"""Seconds of a pass from which on its pace says what a larger one will take."""


@dataclass(frozen=True)
class Point:
    """One method in one form on one shape of batch, beside the base model."""

    kind: Kind
    texts: int
    length: Length
    method: str
    form: Form
    tokens: int = 0
    """Of all texts; inserted ones are the method's cost and do not count."""
    padding: float = 0.0
    """The share of padding that these texts would need, were they not packed."""
    timing: Timing | None = None
    reason: str = ""
    """Why nothing was timed, in one line."""

    @property
    def texts_per_second(self) -> float | None:
        """By the p50; none where there is none."""
        timing = self.timing
        return (
            None if timing is None or timing.p50_ms is None else 1000 * self.texts / timing.p50_ms
        )

    @property
    def tokens_per_second(self) -> float | None:
        """The tokens that a pass reads, by the p50."""
        each = 1 if self.kind == "new token" else self.tokens / self.texts
        texts = self.texts_per_second
        return None if texts is None else each * texts


class LatencyLab:
    """A backbone, the methods on it, and the batches that they are timed with."""

    def __init__(
        self,
        base_model: Backbone,
        methods: Sequence[Method],
        served: Encoded,
        language_head: nn.Module | None = None,
    ) -> None:
        """Attach each method, untrained; all share the backbone's weights.

        Args:
            base_model: As it was pretrained.
            methods: By their settings; the lab attaches copies of them.
            served: Real texts.
            language_head: From states to the vocabulary, for a decoder.

        Raises:
            UserError: The backbone cannot have one of the methods.
        """
        self.base = base_of(base_model)
        self.subjects = [one for method in methods for one in subjects(base_model, method)]
        self.served, self.language_head = served, language_head
        self.device = base_model.embedding.weight.device
        self._pace = math.inf
        """Seconds of an operation, at the best of the points so far; infinite before any."""

    @property
    def cfg(self) -> BackboneConfig:
        """The backbone's shape."""
        return self.base.backbone.cfg

    def kinds(self, grid: Grid) -> tuple[Kind, ...]:
        """The passes that are timed: a decoder's own two, where there is its language head."""
        decodes = self.language_head is not None and not grid.compile
        return DECODE if decodes else CLASSIFY

    def points(self, grid: Grid, progress: Progress) -> Iterator[Point]:
        """Every point of the grid, small ones first.

        Args:
            grid: What is to be timed.
            progress: Hears which point is next.
        """
        shapes = [
            (kind, texts, length)
            for kind in self.kinds(grid)
            for length in dict.fromkeys(grid.lengths)
            for texts in dict.fromkeys(grid.batches)
        ]
        for kind, texts, length in sorted(shapes, key=lambda shape: self._size(*shape)):
            for subject in self.subjects:
                progress.note(f"{kind}, {texts} × {length}: {subject.method}, {subject.form}")
                yield self._point(kind, texts, length, subject, grid)

    def _size(self, kind: Kind, texts: int, length: Length) -> tuple[int, int, int]:
        """By which points are ordered: kinds together, then work."""
        tokens = {"texts": 0, "context": self.cfg.context}.get(str(length), length)
        return DECODE.index(kind), texts * int(tokens), texts

    def _point(self, kind: Kind, texts: int, length: Length, subject: Subject, grid: Grid) -> Point:
        """One point; or why there is none."""
        point = Point(kind, texts, length, subject.method, subject.form)
        try:
            batch = self._batch(kind, texts, length, subject)
            self._check_memory(kind, batch)
            operations = self._operations(kind, batch)
            self._check_time(operations, grid)
            timing = self._timed(kind, batch, subject, grid, operations)
        except UserError as error:
            return replace(point, reason=str(error))
        except Exception as error:
            if not out_of_memory(error):
                raise
            return replace(point, reason=NO_MEMORY)
        return replace(point, tokens=len(batch.ids), padding=padding_share(batch), timing=timing)

    def _batch(self, kind: Kind, texts: int, length: Length, subject: Subject) -> Batch:
        """The texts of a point.

        Raises:
            UserError: They do not fit into the context.
        """
        context = self.cfg.context if kind == "classify" else self.cfg.cached_context
        room = context - subject.inserted - (kind == "new token")
        if length == "texts":
            return served_batch(self.served, texts).to(self.device)
        tokens = room if length == "context" else length
        if tokens > room:
            taken = f", of which {room} are left for a text" if room < context else ""
            raise UserError(f"beyond the context of {context} positions{taken}")
        return random_batch(self.cfg, texts, tokens).to(self.device)

    def _check_memory(self, kind: Kind, batch: Batch) -> None:
        """Refuse what would not fit: a system may end a process that asks for too much.

        Raises:
            UserError: It needs more than is free.
        """
        cfg, tokens = self.cfg, len(batch.ids)
        numbers = tokens * (4 * cfg.width + 3 * cfg.hidden)
        if kind != "classify":
            both = 2 * 2 * cfg.layers * cfg.key_heads * cfg.head_size
            numbers += tokens * both + 2 * batch.layout.sequences * cfg.vocabulary
        needed = numbers * self.base.backbone.embedding.weight.itemsize / MIB
        free = available(self.device)
        if free is not None and needed > free:
            raise UserError(f"{NO_MEMORY}: needs about {needed:,.0f} MiB, and {free:,.0f} are free")

    def _operations(self, kind: Kind, batch: Batch) -> int:
        """Of one pass of the base model, but for its heads."""
        if kind == "new token":
            return forward_operations(self.cfg, [1] * batch.layout.sequences)
        return forward_operations(self.cfg, batch.layout.lengths.tolist())

    def _check_time(self, operations: int, grid: Grid) -> None:
        """Refuse what would take far longer than the user waits, by the pace so far.

        Raises:
            UserError: The fewest rounds would take `PATIENCE` times as long as was allowed.
        """
        expected = (4 * FEWEST + 2) * operations * self._pace
        if PATIENCE * grid.seconds < expected < math.inf:
            raise UserError(
                f"{FEWEST} rounds would take about {expected:,.0f} s, and --seconds allows "
                f"{PATIENCE} × {grid.seconds:g}"
            )

    def _timed(
        self, kind: Kind, batch: Batch, subject: Subject, grid: Grid, operations: int
    ) -> Timing:
        """The method's pass in turn with the base model's."""
        if grid.compile:
            ours, base = compiled(batch, subject.classifier, self.base)
        else:
            ours, base = (
                run_of(kind, one, batch, self.language_head)
                for one in (subject.classifier, self.base)
            )
        begin = time.perf_counter()
        timing = time_in_turn(
            ours, base, half_width=grid.half_width, seconds=grid.seconds, device=self.device
        )
        each = (time.perf_counter() - begin) / (4 * timing.rounds + 2)
        # What costs each pass, however small, would make the pace of small ones look slow.
        if each >= LONG:
            self._pace = min(self._pace, each / operations)
        return timing
