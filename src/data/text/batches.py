"""Batches without padding, in a fully random order that a seed fixes."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ...backbone.layout import Layout
from .tokens import Encoded, TemplateSpans

Targets = Callable[[Sequence[int]], Tensor]
"""Row numbers → the tensor that the objective's loss takes for these rows."""


@dataclass(frozen=True)
class BatchSpans:
    """Where a template put soft tokens and label words, as places in the batch's row of tokens."""

    soft_token_positions: Tensor | None
    """The tokens before which virtual ones may stand (b s), in rising order; none without any."""
    read: Tensor
    """The tokens whose states the label words are read from (b)."""

    @classmethod
    def of(cls, spans: Sequence[TemplateSpans], layout: Layout) -> BatchSpans | None:
        """The rows' own places moved to where each row begins; none where there are none."""
        if not spans:
            return None
        begin = layout.cu_seqlens[:-1].long()
        read = torch.tensor([row.read for row in spans]) + begin
        positions = torch.tensor([row.soft_token_positions for row in spans]) + begin[:, None]
        return cls(positions if positions.shape[1] else None, read)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> BatchSpans:
        """The same on another device."""
        positions = self.soft_token_positions
        if positions is not None:
            positions = positions.to(device, non_blocking=non_blocking)
        return BatchSpans(positions, self.read.to(device, non_blocking=non_blocking))


@dataclass(frozen=True)
class Batch:
    """b examples, their n tokens in one row."""

    ids: Tensor
    """Token ids (n)."""
    layout: Layout
    segments: Tensor
    """Each token's segment (n)."""
    labels: Tensor
    """What the objective's loss takes, first axis b; empty where the rows have no labels."""
    spans: BatchSpans | None = None
    """None without a template."""
    weight: float = 1.0
    """Multiplies the mean loss in training; see `Batches.passes`."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The same on another device; Lightning calls it."""
        ids, segments, labels = (
            x.to(device, non_blocking=non_blocking) for x in (self.ids, self.segments, self.labels)
        )
        spans = None if self.spans is None else self.spans.to(device, non_blocking)
        return Batch(ids, self.layout.to(device), segments, labels, spans, self.weight)


@dataclass(frozen=True)
class Pooled:
    """b examples that a frozen backbone has read already."""

    vectors: Tensor
    """Pooled final states (b d)."""
    labels: Tensor
    weight: float = 1.0
    """Multiplies the mean loss in training; see `Batches.passes`."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Pooled:
        """The same on another device; Lightning calls it."""
        return Pooled(
            self.vectors.to(device, non_blocking=non_blocking),
            self.labels.to(device, non_blocking=non_blocking),
            self.weight,
        )


class Batches:
    """A loader over encoded rows: every pass in a new order where shuffled, the same for a seed."""

    def __init__(
        self,
        encoded: Encoded,
        targets: Targets | None = None,
        *,
        batch_size: int,
        shuffle_seed: int | None = None,
        micro_batch: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Read rows in batches.

        Args:
            encoded: The rows.
            targets: Row numbers → what the loss takes for them; none for rows without labels.
            batch_size: Rows in a batch; the last may be short.
            shuffle_seed: Fixes the order of every pass; none means file order.
            micro_batch: Rows that are given at once; several such parts make a batch. None gives
                whole batches.
            rank: Which of the processes this is that share each batch.
            world_size: How many processes share it; `micro_batch` is then what each is given.
        """
        self.micro_batch = min(micro_batch or batch_size, batch_size)
        self.rank, self.world_size = rank, world_size
        self.encoded, self.targets, self.batch_size = encoded, targets, batch_size
        self.shuffle_seed = shuffle_seed
        self._passes = self._parts = 0

    def go_to(self, passes: int, parts: int) -> None:
        """Go on where so many passes, and so many parts of the next one, were read already."""
        self._passes, self._parts = passes, parts

    @property
    def part(self) -> int:
        """Rows that all processes together are given at once, at most."""
        return self.micro_batch * self.world_size

    @property
    def accumulate(self) -> int:
        """Parts of a whole batch, whose gradients make one optimizer step."""
        return -(-self.batch_size // self.part)

    def __len__(self) -> int:
        """Parts in a pass: batches, where these are given whole; the last may be short."""
        whole, rest = divmod(len(self.encoded), self.batch_size)
        return whole * self.accumulate - (-rest // self.part)

    def __iter__(self) -> Iterator[Batch | Pooled]:
        """One pass."""
        for rows, weight in self.passes():
            yield replace(self.batch(rows), weight=weight)

    def passes(self) -> Iterator[tuple[list[int], float]]:
        """The rows of each part of the next pass over the data, and the weight of its loss.

        Lightning adds the gradients of the `accumulate` parts of a batch, each divided by their
        number. Parts may be short: with these weights the sum is the gradient of the mean loss over
        all rows of the batch, as if it had been given whole. So is the mean over the processes
        that share a part, whose shares may differ by a row.
        """
        read, self._parts = self._parts, 0
        parts = (
            self._share(rows[begin : begin + self.part], len(rows))
            for rows in self.passing()
            for begin in range(0, len(rows), self.part)
        )
        yield from itertools.islice(parts, read, None)

    def _share(self, part: list[int], batch: int) -> tuple[list[int], float]:
        """This process's rows of a part, and the weight of their mean loss.

        A process for which there is no row has to take part in the step all the same: it reads
        another one's, which counts for nothing.
        """
        share = part[self.rank :: self.world_size]
        weight = len(share) * self.accumulate * self.world_size / batch
        return share or part[:1], weight

    def passing(self) -> Iterator[list[int]]:
        """The rows of each batch of the next pass."""
        order = self._order()
        for begin in range(0, len(order), self.batch_size):
            yield order[begin : begin + self.batch_size]

    def parts_of(self, passes: int) -> Iterator[list[int]]:
        """The rows of each part of the first so many passes, of all processes that share them.

        Where this loader is, it stays.
        """
        again = copy.copy(self)
        again.micro_batch = min(self.part, self.batch_size)
        again.rank, again.world_size = 0, 1
        again.go_to(0, 0)
        for _ in range(passes):
            yield from (rows for rows, _ in again.passes())

    def tokens(self, groups: Iterable[Sequence[int]]) -> tuple[int, int]:
        """Tokens of rows that are read group by group, without padding and with it.

        With it each text is as long as the longest of its group.
        """
        text = padded = 0
        for rows in groups:
            lengths = [len(self.encoded.ids[row]) for row in rows]
            text += sum(lengths)
            padded += len(lengths) * max(lengths)
        return text, padded

    def alike(self, size: int) -> list[list[int]]:
        """All rows in groups of nearly equal length: how to read them where nothing is learned."""
        order = sorted(range(len(self.encoded)), key=lambda row: len(self.encoded.ids[row]))
        return [order[begin : begin + size] for begin in range(0, len(order), size)]

    def batch(self, rows: Sequence[int]) -> Batch:
        """These rows as one batch."""
        ids = [self.encoded.ids[row] for row in rows]
        segments = [number for row in rows for number in self.encoded.segments[row]]
        layout = Layout.from_lengths([len(row) for row in ids])
        spans = [self.encoded.spans[row] for row in rows] if self.encoded.spans else []
        return Batch(
            torch.tensor([number for row in ids for number in row]),
            layout,
            torch.tensor(segments),
            self.labels(rows),
            BatchSpans.of(spans, layout),
        )

    def labels(self, rows: Sequence[int]) -> Tensor:
        """What the loss takes for these rows."""
        return torch.empty(0) if self.targets is None else self.targets(rows)

    def _order(self) -> list[int]:
        if self.shuffle_seed is None:
            return list(range(len(self.encoded)))
        generator = torch.Generator().manual_seed(self.shuffle_seed * 1_000_003 + self._passes)
        self._passes += 1
        return torch.randperm(len(self.encoded), generator=generator).tolist()


class PooledBatches(Batches):
    """The same rows in the same order, as vectors."""

    def __init__(self, source: Batches, vectors: Tensor) -> None:
        """Vectors (rows d) in the order of the source's rows."""
        self.__dict__.update(source.__dict__)
        self.vectors = vectors

    def __iter__(self) -> Iterator[Pooled]:
        """One pass."""
        for rows, weight in self.passes():
            yield Pooled(self.vectors[rows], self.labels(rows), weight)


def restore_order(values: Float[Tensor, "n d"], groups: Sequence[Sequence[int]]) -> Tensor:
    """Values that were read group by group, one a row, in the order of the rows."""
    order = torch.tensor([row for group in groups for row in group])
    return torch.empty_like(values).index_copy(0, order, values)
