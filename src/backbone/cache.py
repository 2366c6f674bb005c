"""The KV-cache: keys and values of the tokens that were read before, packed like the tokens."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .layout import Layout
from .ports import Memory


class KVCache:
    """What a causal backbone remembers of b sequences between two calls.

    The `memory` port is asked once, when the cache is empty; its keys stand before the cached ones
    in every later call and are never copied into them.
    """

    def __init__(self, sequences: int, device: torch.device | str = "cpu") -> None:
        """An empty cache for so many sequences."""
        self.layout = Layout.of([0] * sequences, device)
        self.memory: Memory | None = None
        self._keys: dict[int, Tensor] = {}
        self._values: dict[int, Tensor] = {}
        self._order: Tensor | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing has been read yet."""
        return self.layout.longest == 0

    @property
    def lengths(self) -> Int[Tensor, " b"]:
        """Cached tokens of each sequence, inserted prompts included, memory not."""
        return self.layout.lengths

    def advance(self, new: Layout) -> None:
        """Make room for the new tokens of each sequence: once a call, before any layer."""
        old, fresh = self.lengths.tolist(), new.lengths.tolist()
        order: list[int] = []
        total, begin_old, begin_new = sum(old), 0, sum(old)
        for before, more in zip(old, fresh, strict=True):
            order += range(begin_old, begin_old + before)
            order += range(begin_new, begin_new + more)
            begin_old, begin_new = begin_old + before, begin_new + more
        self._order = torch.tensor(order, device=new.cu.device) if total else None
        self.layout = Layout.of([a + b for a, b in zip(old, fresh, strict=True)], new.cu.device)

    def extend(
        self, layer: int, k: Float[Tensor, "n g e"], v: Float[Tensor, "n g e"]
    ) -> tuple[Float[Tensor, "m g e"], Float[Tensor, "m g e"]]:
        """Remember a layer's new keys and values; returns all of them, each sequence's together."""
        if self._order is not None:
            k = torch.cat([self._keys[layer], k])[self._order]
            v = torch.cat([self._values[layer], v])[self._order]
        self._keys[layer], self._values[layer] = k, v
        return k, v
