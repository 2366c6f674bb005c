"""What stands before every text on a causal backbone, read once: embeddings → keys and values.

Tokens of a causal backbone see nothing that comes after them. What stands before every text is
therefore the same for all texts in each layer, and a `Memory` of its keys and values, whose first
text position is its length, gives the same states without computing it again.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import UserError
from .cache import KVCache
from .layout import Layout
from .model import Backbone
from .ports import Memory, NoPrompt


class PrefilledMemory(nn.Module):
    """Keys and values that were computed and do not train: an occupant of the `memory` port."""

    keys: Tensor
    values: Tensor

    def __init__(self, memory: Memory) -> None:
        """Keep them as they are."""
        super().__init__()
        self.register_buffer("keys", memory.keys, persistent=False)
        self.register_buffer("values", memory.values, persistent=False)
        self.start = memory.start

    def forward(self) -> Memory:
        """The same for every text."""
        return Memory(self.keys, self.values, self.start)


class _Embeddings(nn.Module):
    """A `prompt` port in which these embeddings are all there is."""

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(
        self, x: Tensor, layout: Layout, *_: object
    ) -> tuple[Float[Tensor, "p d"], Layout, Int[Tensor, " n"]]:
        """One sequence of them, and an empty one: a single token alone is a step of decoding."""
        none = torch.empty(0, dtype=torch.int64, device=x.device)
        return self.embeddings, Layout.from_lengths([len(self.embeddings), 0], x.device), none


class _Record(KVCache):
    """A cache that keeps what each layer gave it."""

    def __init__(self, sequences: int, device: torch.device) -> None:
        super().__init__(sequences, device)
        self.layers: list[tuple[Tensor, Tensor]] = []

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Remember a layer's keys, rotated, and its values."""
        self.layers.append((k, v))
        return super().extend(layer, k, v)


@torch.no_grad()
def prefill(backbone: Backbone, embeddings: Float[Tensor, "p d"]) -> Memory:
    """Keys and values of what every text begins with, after those of the `memory` port.

    Args:
        backbone: A causal one; what its `prompt` port holds is not asked.
        embeddings: The first tokens, words or soft ones, without their positions.

    Raises:
        UserError: Where later tokens may not see all of them, so that they cannot be computed once.
    """
    if not backbone.cfg.can_prefill:
        raise UserError(
            "what every text begins with can be computed once on a causal backbone only"
        )
    device, port = embeddings.device, backbone.prompt
    cache = _Record(2, device)
    backbone.set_submodule("prompt", _Embeddings(embeddings))
    try:
        backbone.encode(torch.empty(0, dtype=torch.int64, device=device), _EMPTY, cache=cache)
    finally:
        backbone.set_submodule("prompt", port)
    keys, values = (torch.stack(parts) for parts in zip(*cache.layers, strict=True))
    before = backbone.memory()
    if before is None:
        return Memory(keys, values, len(embeddings))
    return Memory(
        torch.cat([before.keys, keys], 1),
        torch.cat([before.values, values], 1),
        before.start + len(embeddings),
    )


_EMPTY = Layout.from_lengths([0, 0])


def plug_prefix(
    backbone: Backbone, embeddings: Float[Tensor, "p d"], rest: nn.Module | None = None
) -> None:
    """Put what every text begins with into the `memory` port, the rest into the `prompt` port."""
    if len(embeddings):
        memory = prefill(backbone, embeddings)
        backbone.set_submodule("memory", PrefilledMemory(memory))
    backbone.set_submodule("prompt", NoPrompt() if rest is None else rest)
