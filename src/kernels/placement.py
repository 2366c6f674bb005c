"""Where a kernel can run and what it can read: the device, and the strides of its arguments."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from .checks import require

STRIDE_LIMIT = 1 << 24
"""Inside a tile offsets have 32 bits: 127 rows of this stride still fit."""


def require_device(**tensors: Tensor) -> None:
    """Kernels run on a GPU, or in Triton's interpreter.

    Raises:
        ValueError: Where a tensor lies elsewhere.
    """
    for name, x in tensors.items():
        require(
            x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1",
            f"`{name}` must lie on a GPU for attention=triton (on a CPU: sdpa or reference)",
            device=x.device,
        )


def on_device(x: Tensor) -> AbstractContextManager[object]:
    """The context in which a kernel starts on the GPU that holds its arguments."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()


def usable(x: Tensor) -> Tensor:
    """The tensor itself where kernels can read it by its strides, else a contiguous copy."""
    strided = x.stride(-1) == 1 and max(x.stride()) < STRIDE_LIMIT
    return x if strided else x.contiguous()
