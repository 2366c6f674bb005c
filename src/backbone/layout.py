"""Where sequences begin and end when all their tokens stand in one row, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Packed sequences: sequence i holds tokens cu_seqlens[i] … cu_seqlens[i + 1] - 1."""

    cu_seqlens: Int[Tensor, " borders"]
    """Cumulative lengths (int32), beginning with 0: one more than there are sequences."""
    max_seqlen: int
    """The longest length: a plain number, so that no kernel has to ask the device for it."""

    @classmethod
    def from_lengths(cls, lengths: Sequence[int], device: torch.device | str = "cpu") -> Layout:
        """Sequences of these lengths."""
        steps = torch.tensor([0, *lengths], dtype=torch.int32)
        return cls(steps.cumsum(0, dtype=torch.int32).to(device), max(lengths, default=0))

    @property
    def sequences(self) -> int:
        """How many sequences there are."""
        return len(self.cu_seqlens) - 1

    @property
    def lengths(self) -> Int[Tensor, " b"]:
        """Tokens of each sequence."""
        return self.cu_seqlens[1:] - self.cu_seqlens[:-1]

    def sequence_ids(self, tokens: int) -> Int[Tensor, " n"]:
        """For each of the n tokens, the sequence it belongs to."""
        token = torch.arange(tokens, device=self.cu_seqlens.device)
        return torch.searchsorted(self.cu_seqlens[1:].contiguous(), token, right=True)

    def positions(self, tokens: int) -> Int[Tensor, " n"]:
        """For each of the n tokens, its place in its sequence, from 0."""
        return (
            torch.arange(tokens, device=self.cu_seqlens.device)
            - self.cu_seqlens[self.sequence_ids(tokens)]
        )

    def extended(self, by: int) -> Layout:
        """The same sequences, each with `by` more tokens."""
        more = by * torch.arange(
            len(self.cu_seqlens), device=self.cu_seqlens.device, dtype=self.cu_seqlens.dtype
        )
        return Layout(self.cu_seqlens + more, self.max_seqlen + by)

    def to(self, device: torch.device | str) -> Layout:
        """The same on another device."""
        return Layout(self.cu_seqlens.to(device), self.max_seqlen)


@dataclass(frozen=True)
class SharedPrefix:
    """What every text begins with: token ids, and the places of soft tokens among them.

    By default there is no template, and all soft tokens come before the text.
    """

    ids: tuple[int, ...] = ()
    soft_token_positions: tuple[int, ...] = (0,)
    """The ids before which soft tokens are, in rising order; their number means the end."""
    later_soft_tokens: int = 0
    """How many more places of soft tokens there are, which come after the shared tokens."""


def pack(mask: Bool[Tensor, "b t"]) -> tuple[Layout, Int[Tensor, " n"], Int[Tensor, " n"]]:
    """A padded batch's real tokens: their layout, their places among b·t, and their columns."""
    lengths = mask.sum(1).tolist()
    places = mask.flatten().nonzero().flatten()
    return Layout.from_lengths(lengths, mask.device), places, places % mask.shape[1]
