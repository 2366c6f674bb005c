"""The storages that a stretch of work holds, by what they are; and the moment when they are most.

Every tensor that an operator gives is seen (`TorchDispatchMode`), each storage once, until it is
freed. What autograd saves for the backward pass is known by `saved_tensors_hooks`. Not seen: what
an operator takes and gives back within itself, and what the allocator keeps beside.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Kind = Literal["weights", "gradients", "optimizer", "activations", "working"]
"""`activations` are those that the backward pass needs; `working` is all else."""


class Allocations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes by kind, now and when they were most."""

    def __init__(self, known: Mapping[Kind, Iterable[Tensor]]) -> None:
        """Begin with what is held already."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._kinds: dict[int, Kind] = {}
        self._held: dict[int, weakref.ref[Any]] = {}
        self._bytes: Counter[Kind] = Counter()
        self.peak: Mapping[Kind, int] = {}
        """By kind, at the last moment when the sum was highest."""
        for kind, tensors in known.items():
            for tensor in tensors:
                self.mark(tensor, kind)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator, and see what it gives."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and self._key(leaf) not in self._kinds:
                self.mark(leaf, "working")
        return out

    def mark(self, tensor: Tensor, kind: Kind) -> None:
        """Say what a tensor's storage is; the last word counts, but for what was known before."""
        storage = tensor.untyped_storage()
        key, size = self._key(tensor), storage.nbytes()
        before = self._kinds.get(key)
        if before is None:
            self._held[key] = weakref.ref(storage, partial(self._freed, key, size))
        elif before == "working":
            self._bytes[before] -= size
        else:
            return
        self._kinds[key] = kind
        self._bytes[kind] += size
        if self.total >= sum(self.peak.values()):
            self.peak = dict(self._bytes)

    @property
    def total(self) -> int:
        """Bytes that are held now."""
        return sum(self._bytes.values())

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Take what autograd saves in the block for activations."""

        def pack(tensor: Tensor) -> Tensor:
            self.mark(tensor, "activations")
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            yield

    def _freed(self, key: int, size: int, _: object) -> None:
        self._bytes[self._kinds.pop(key)] -= size
        del self._held[key]

    @staticmethod
    def _key(tensor: Tensor) -> int:
        return int(tensor.untyped_storage()._cdata)
