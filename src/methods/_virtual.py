"""What prompt and prefix methods share: virtual tokens before the text, keys before its keys."""

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
    length, wider = len(prompt), layout.longer(len(prompt))
    tokens = len(x) + length * layout.sequences
    row, place = wider.rows(tokens), wider.positions(tokens)
    text = torch.arange(tokens, device=x.device) - length * row
    joined = torch.cat([prompt.to(x.dtype), x])[torch.where(place < length, place, text)]
    own = torch.arange(len(x), device=x.device)
    return joined, wider, own + length * (layout.rows(len(x)) + 1)


class PromptTable(nn.Module):
    """A prompt of p vectors, each trained by itself."""

    def __init__(self, values: Float[Tensor, "p d"]) -> None:
        """Begin with these vectors."""
        super().__init__()
        self.table = nn.Parameter(values.detach().clone())

    def forward(
        self, x: Float[Tensor, "n d"], layout: Layout
    ) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
        """The text with the prompt before it."""
        return put_before(self.table, x, layout)


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
