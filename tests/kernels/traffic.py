"""Counting the bytes that kernels move, number by number, in Triton's interpreter."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from torch import Tensor


@dataclass
class Traffic:
    """Bytes read and written so far, by the tensor that holds the addresses, and products made."""

    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    products: int = 0
    programs: int = 0
    owners: list[tuple[int, int, str]] = field(default_factory=list)

    def watch(self, **tensors: Tensor) -> None:
        """Name the memory of these tensors; all other memory counts as `other`."""
        for name, x in tensors.items():
            begin = x.untyped_storage().data_ptr()
            self.owners.append((begin, begin + x.untyped_storage().nbytes(), name))

    @property
    def total(self) -> int:
        """All bytes moved."""
        return sum(self.read.values()) + sum(self.written.values())

    def note(self, counter: Counter[str], pointers: Any, mask: Any) -> None:
        """Count the addresses under the mask; both are the interpreter's own tensors."""
        addresses = pointers.data[np.broadcast_to(mask.data.astype(bool), pointers.data.shape)]
        size = pointers.get_element_ty().primitive_bitwidth // 8
        left = addresses.size
        for begin, end, name in self.owners:
            inside = int(((addresses >= begin) & (addresses < end)).sum())
            counter[name] += inside * size
            left -= inside
        counter["other"] += left * size


def counting(monkeypatch: pytest.MonkeyPatch) -> Traffic:
    """Count from now on, until the test ends."""
    from triton.runtime.interpreter import InterpreterBuilder as Builder

    traffic = Traffic()
    load, store = Builder.create_masked_load, Builder.create_masked_store
    dot, place = Builder.create_dot, Builder.set_grid_idx

    def loading(self: Any, ptrs: Any, mask: Any, *rest: Any) -> Any:
        traffic.note(traffic.read, ptrs, mask)
        return load(self, ptrs, mask, *rest)

    def storing(self: Any, ptrs: Any, value: Any, mask: Any, *rest: Any) -> Any:
        traffic.note(traffic.written, ptrs, mask)
        return store(self, ptrs, value, mask, *rest)

    def multiplying(self: Any, *operands: Any) -> Any:
        traffic.products += 1
        return dot(self, *operands)

    def placing(self: Any, *place_: Any) -> Any:
        traffic.programs += 1
        return place(self, *place_)

    monkeypatch.setattr(Builder, "create_masked_load", loading)
    monkeypatch.setattr(Builder, "create_masked_store", storing)
    monkeypatch.setattr(Builder, "create_dot", multiplying)
    monkeypatch.setattr(Builder, "set_grid_idx", placing)
    return traffic
