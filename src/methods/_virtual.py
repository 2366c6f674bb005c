"""What prompt and prefix methods share: virtual tokens in the text, keys before its keys."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.config import BackboneConfig
from ..backbone.layout import Layout
from ..backbone.ports import Memory


def put_before(
    prompt: Float[Tensor, "p d"], x: Float[Tensor, "n d"], layout: Layout
) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
    """Every sequence with the prompt before it, and where the text's tokens now are."""
    length, wider = len(prompt), layout.extended(len(prompt))
    tokens = len(x) + length * layout.sequences
    row, place = wider.sequence_ids(tokens), wider.positions(tokens)
    text = torch.arange(tokens, device=x.device) - length * row
    joined = _rows(prompt, x, torch.where(place < length, place, text))
    index = torch.arange(len(x), device=x.device)
    return joined, wider, index + length * (layout.sequence_ids(len(x)) + 1)


def insert(
    prompt: Float[Tensor, "p d"],
    x: Float[Tensor, "n d"],
    layout: Layout,
    soft_token_positions: Int[Tensor, "b s"] | None,
) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
    """Every sequence with the prompt's vectors in it, and where the text's tokens now are.

    Without positions the prompt comes before the text. The p vectors are distributed over the s
    positions in order, as evenly as can be, earlier positions getting one more.
    """
    if soft_token_positions is None:
        return put_before(prompt, x, layout)
    length, tokens = len(prompt), len(x)
    sizes = shares(length, soft_token_positions.shape[1])
    index = torch.arange(tokens, device=x.device)
    rows = layout.sequence_ids(tokens)
    before = (
        (soft_token_positions[rows] <= index[:, None]) * torch.tensor(sizes, device=x.device)
    ).sum(1)
    places = index + length * rows + before
    # Virtual token j of sequence r comes after the text tokens before its position, all of them,
    # and after the virtual ones before it: r p + j.
    virtual = torch.arange(length * layout.sequences, device=x.device)
    position = soft_token_positions[
        :, [k for k, size in enumerate(sizes) for _ in range(size)]
    ].flatten()
    source = torch.empty_like(torch.cat([places, virtual]))
    source = source.index_copy(0, places, index + length)
    source = source.index_copy(0, position + virtual, virtual % length)
    return _rows(prompt, x, source), layout.extended(length), places


def _rows(
    prompt: Float[Tensor, "p d"], x: Float[Tensor, "n d"], source: Int[Tensor, " m"]
) -> Float[Tensor, "m d"]:
    """The rows of prompt and text, joined, by their numbers.

    Every sequence reads the same prompt. Read as an embedding, its gradients add up in one order
    on a CPU; those of an index (`joined[source]`) add up in the order in which threads come.
    """
    return F.embedding(source, torch.cat([prompt.to(x.dtype), x]))


def shares(length: int, positions: int) -> list[int]:
    """How many of `length` virtual tokens there are at each position."""
    each, more = divmod(length, positions)
    return [each + (number < more) for number in range(positions)]


class PromptTable(nn.Module):
    """A prompt of p vectors, each trained by itself."""

    def __init__(self, values: Float[Tensor, "p d"]) -> None:
        """Begin with these vectors."""
        super().__init__()
        self.table = nn.Parameter(values.detach().clone())

    def forward(
        self,
        x: Float[Tensor, "n d"],
        layout: Layout,
        soft_token_positions: Int[Tensor, "b s"] | None = None,
    ) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
        """The text with the prompt before it, or at its positions."""
        return insert(self.table, x, layout, soft_token_positions)


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
