"""Memory around tensors that tells when it was read or written: NaN before and after each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

WIDTH = 16384
"""Numbers of NaN on each side: more than a tile can step over."""
WHOLE = 7
"""What stands around whole numbers, which have no NaN."""


class Fences:
    """Stands for `torch` in launching code and fences all that it allocates."""

    def __init__(self) -> None:
        self.buffers: list[Tensor] = []
        self.strays = 0
        """Reads and writes outside all fenced tensors; counted by `watching`."""

    def around(self, x: Tensor) -> Tensor:
        """The same numbers inside a larger buffer of NaN."""
        filler = float("nan") if x.is_floating_point() else WHOLE
        buffer = x.new_full((x.numel() + 2 * WIDTH,), filler)
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
        sides = (side for b in self.buffers for side in (b[:WIDTH], b[-WIDTH:]))
        return all(bool((x.isnan() if x.is_floating_point() else x == WHOLE).all()) for x in sides)

    def note(self, pointers: Any, mask: Any) -> None:
        """Count the addresses under the mask that lie in no fenced tensor."""
        addresses = pointers.data[np.broadcast_to(mask.data.astype(bool), pointers.data.shape)]
        sides = sorted((b[WIDTH].data_ptr(), b[-WIDTH].data_ptr()) for b in self.buffers)
        begins, ends = np.array(sides, dtype=np.uint64).T
        owner = np.searchsorted(begins, addresses.astype(np.uint64), side="right")
        inside = (owner > 0) & (addresses < ends[np.maximum(owner, 1) - 1])
        self.strays += int((~inside).sum())

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


@contextmanager
def watching(fences: Fences) -> Iterator[None]:
    """Hold every address that the interpreter reads or writes to the fenced tensors."""
    from triton.runtime.interpreter import InterpreterBuilder as Builder

    load, store = Builder.create_masked_load, Builder.create_masked_store

    def loading(self: Any, pointers: Any, mask: Any, *rest: Any) -> Any:
        fences.note(pointers, mask)
        return load(self, pointers, mask, *rest)

    def storing(self: Any, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        fences.note(pointers, mask)
        return store(self, pointers, value, mask, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Builder, "create_masked_load", loading)
        patch.setattr(Builder, "create_masked_store", storing)
        yield
