"""What prompt and prefix methods share: virtual tokens in the text, keys before its keys."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..backbone.config import BackboneConfig
from ..backbone.layout import Layout
from ..backbone.ports import Memory


def put_before(
    prompt: Float[Tensor, "p d"], x: Float[Tensor, "n d"], layout: Layout
) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
    """Every sequence with the prompt before it, and where the text's tokens now stand."""
    length, wider = len(prompt), layout.extended(len(prompt))
    tokens = len(x) + length * layout.sequences
    row, place = wider.sequence_ids(tokens), wider.positions(tokens)
    text = torch.arange(tokens, device=x.device) - length * row
    joined = torch.cat([prompt.to(x.dtype), x])[torch.where(place < length, place, text)]
    own = torch.arange(len(x), device=x.device)
    return joined, wider, own + length * (layout.sequence_ids(len(x)) + 1)


def insert(
    prompt: Float[Tensor, "p d"],
    x: Float[Tensor, "n d"],
    layout: Layout,
    slots: Int[Tensor, "b s"] | None,
) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
    """Every sequence with the prompt in its slots, and where the text's tokens now stand.

    Without slots the prompt stands before the text. The p vectors are shared out over the s slots
    in order, as evenly as can be, earlier slots getting one more.
    """
    if slots is None:
        return put_before(prompt, x, layout)
    length, tokens = len(prompt), len(x)
    sizes = shares(length, slots.shape[1])
    own = torch.arange(tokens, device=x.device)
    rows = layout.sequence_ids(tokens)
    before = ((slots[rows] <= own[:, None]) * torch.tensor(sizes, device=x.device)).sum(1)
    places = own + length * rows + before
    # Virtual token j of sequence r stands behind the text tokens before its slot, all of them, and
    # behind the virtual ones before it: r p + j.
    virtual = torch.arange(length * layout.sequences, device=x.device)
    slot = slots[:, [k for k, size in enumerate(sizes) for _ in range(size)]].flatten()
    source = torch.empty_like(torch.cat([places, virtual]))
    source = source.index_copy(0, places, own + length)
    source = source.index_copy(0, slot + virtual, virtual % length)
    joined = torch.cat([prompt.to(x.dtype), x])[source]
    return joined, layout.extended(length), places


def shares(length: int, slots: int) -> list[int]:
    """How many of `length` virtual tokens stand in each slot."""
    each, more = divmod(length, slots)
    return [each + (slot < more) for slot in range(slots)]


class PromptTable(nn.Module):
    """A prompt of p vectors, each trained by itself."""

    def __init__(self, values: Float[Tensor, "p d"]) -> None:
        """Begin with these vectors."""
        super().__init__()
        self.table = nn.Parameter(values.detach().clone())

    def forward(
        self, x: Float[Tensor, "n d"], layout: Layout, slots: Int[Tensor, "b s"] | None = None
    ) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
        """The text with the prompt before it, or in its slots."""
        return insert(self.table, x, layout, slots)


class MemoryTable(nn.Module):
    """Keys and values of p virtual tokens in each layer, each number trained by itself."""

    def __init__(self, values: Float[Tensor, "2 layers p g e"], start: int = 0) -> None:
        """Begin with these keys and values; the text's first token has the position `start`."""
        super().__init__()
        self.table, self.start = nn.Parameter(values.detach().clone()), start

    def forward(self) -> Memory:
        """The table as it is."""
        return Memory(self.table[0], self.table[1], self.start)


def memory_size(cfg: BackboneConfig, length: int) -> int:
    """Numbers in a memory of so many virtual tokens: 2 · L · p · g e."""
    return 2 * cfg.layers * length * cfg.key_heads * cfg.head_size


def random_memory(cfg: BackboneConfig, length: int) -> Float[Tensor, "2 layers p g e"]:
    """Keys and values, normal with deviation 1."""
    return torch.randn(2, cfg.layers, length, cfg.key_heads, cfg.head_size)
