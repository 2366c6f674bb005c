"""Where a kernel can run and what it can read: the device, and the strides of its arguments."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from .checks import require

STRIDE_LIMIT = 1 << 24
"""Inside a tile offsets have 32 bits: 127 rows of this stride still fit."""


def runs_on(device: torch.device) -> bool:
    """Whether a kernel can run there: on a GPU, or anywhere in Triton's interpreter."""
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


def require_device(**tensors: Tensor) -> None:
    """Kernels run on a GPU, or in Triton's interpreter.

    Raises:
        ValueError: Where a tensor lies elsewhere.
    """
    for name, x in tensors.items():
        require(
            runs_on(x.device),
            f"`{name}` must lie on a GPU for attention=triton (on a CPU: sdpa or reference)",
            device=x.device,
        )


def on_device(x: Tensor) -> AbstractContextManager[object]:
    """The context in which a kernel starts on the GPU that holds its arguments."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()


def prefix_arguments(
    k: Tensor, v: Tensor, prefix_k: Tensor | None, prefix_v: Tensor | None
) -> tuple[Tensor, Tensor, int]:
    """A kernel's prefix and its length; k and v stand in for none: a pointer must point."""
    if prefix_k is None or prefix_v is None:
        return k, v, 0
    return prefix_k, prefix_v, len(prefix_k)


def strides(*tensors: Tensor) -> list[int]:
    """How far apart the tokens, then the heads, of each tensor lie, in the order of a launch."""
    return [stride for x in tensors for stride in x.stride()[:2]]


def usable(x: Tensor) -> Tensor:
    """The tensor itself where kernels can read it by its strides, else a contiguous copy."""
    strided = x.stride(-1) == 1 and max(x.stride()) < STRIDE_LIMIT
    return x if strided else x.contiguous()


def usable_pair(k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The same of keys and values, which kernels read by the strides of the keys."""
    k, v = usable(k), usable(v)
    return (k, v) if k.stride() == v.stride() else (k.contiguous(), v.contiguous())


def usable_prefix(
    prefix_k: Tensor | None, prefix_v: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """The same of a prefix's, where there is one."""
    if prefix_k is None or prefix_v is None:
        return None, None
    return usable_pair(prefix_k, prefix_v)
