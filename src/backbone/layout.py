"""Where sequences begin and end when all their tokens stand in one row, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Packed sequences: `cu[i]` is the first token of sequence i, `cu[i + 1] - 1` its last."""

    cu: Int[Tensor, " borders"]
    """Cumulative lengths (int32), beginning with 0: one more than there are sequences."""
    longest: int
    """The longest length: a plain number, so that no kernel has to ask the device for it."""

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device | str = "cpu") -> Layout:
        """Sequences of these lengths."""
        steps = torch.tensor([0, *lengths], dtype=torch.int32)
        return cls(steps.cumsum(0, dtype=torch.int32).to(device), max(lengths, default=0))

    @property
    def sequences(self) -> int:
        """How many sequences there are."""
        return len(self.cu) - 1

    @property
    def lengths(self) -> Int[Tensor, " b"]:
        """Tokens of each sequence."""
        return self.cu[1:] - self.cu[:-1]

    def rows(self, tokens: int) -> Int[Tensor, " n"]:
        """For each of the n tokens, the sequence it belongs to."""
        token = torch.arange(tokens, device=self.cu.device)
        return torch.searchsorted(self.cu[1:].contiguous(), token, right=True)

    def positions(self, tokens: int) -> Int[Tensor, " n"]:
        """For each of the n tokens, its place in its sequence, from 0."""
        return torch.arange(tokens, device=self.cu.device) - self.cu[self.rows(tokens)]

    def longer(self, by: int) -> Layout:
        """The same sequences, each with `by` more tokens."""
        more = by * torch.arange(len(self.cu), device=self.cu.device, dtype=self.cu.dtype)
        return Layout(self.cu + more, self.longest + by)

    def to(self, device: torch.device | str) -> Layout:
        """The same on another device."""
        return Layout(self.cu.to(device), self.longest)


@dataclass(frozen=True)
class Front:
    """What stands before every text: token ids, and slots for virtual tokens among them.

    By default no template is there: all virtual tokens stand before the text.
    """

    ids: tuple[int, ...] = ()
    slots: tuple[int, ...] = (0,)
    """The ids before which virtual tokens stand, in rising order; their number means the end."""
    behind: int = 0
    """How many more slots there are, which do not stand before every text."""


def pack(mask: Bool[Tensor, "b t"]) -> tuple[Layout, Int[Tensor, " n"], Int[Tensor, " n"]]:
    """A padded batch's real tokens: their layout, their places among b·t, and their columns."""
    lengths = mask.sum(1).tolist()
    places = mask.flatten().nonzero().flatten()
    return Layout.of(lengths, mask.device), places, places % mask.shape[1]
