"""Memory around tensors that tells when it was read or written: NaN before and behind each."""

from __future__ import annotations

import torch
from torch import Tensor

WIDTH = 16384
"""Numbers of NaN on each side: more than a tile can step over."""


class Fences:
    """Stands for `torch` in launching code and fences all that it allocates."""

    def __init__(self) -> None:
        self.buffers: list[Tensor] = []

    def around(self, x: Tensor) -> Tensor:
        """The same numbers inside a larger buffer of NaN."""
        buffer = x.new_full((x.numel() + 2 * WIDTH,), float("nan"))
        inner = buffer[WIDTH : WIDTH + x.numel()].view(x.shape)
        inner.copy_(x.detach())
        self.buffers.append(buffer)
        return inner

    def empty(self, *shape: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """As torch's, with NaN inside too."""
        return self.around(torch.full(shape, float("nan"), dtype=dtype, device=device))

    def empty_like(self, x: Tensor, memory_format: torch.memory_format) -> Tensor:
        """As torch's, contiguous, with NaN inside too."""
        return self.empty(*x.shape, dtype=x.dtype, device=x.device)

    @property
    def whole(self) -> bool:
        """Whether nothing was written around any of the tensors."""
        sides = [(b[:WIDTH], b[-WIDTH:]) for b in self.buffers]
        return all(bool(side.isnan().all()) for pair in sides for side in pair)

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)
