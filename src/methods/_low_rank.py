"""One product with W + s B A, and gradients of A and B alone: a low-rank map that trains on a CPU.

    y = (W + s B A) x + b     dx = (W + s B A)ᵀ dy     dA = s (Bᵀ dy) xᵀ     dB = s dy (A x)ᵀ

Beside W x + b and s B (A x) by themselves this saves two products with a side of r, whose time is
that of reading and writing n rows, and two sums. The thin products that are left have their
operands in the order in which they are fastest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

WORTH = 8
"""Rows for each unit of the rank from which on making W + s B A costs less than it saves."""


def merges(x: Tensor, weight: Tensor, bias: Tensor | None, rank: int) -> bool:
    """Whether the merged map can be had, and is the faster one: W and b stay as they are."""
    if torch.compiler.is_compiling():
        return False
    trains = weight.requires_grad or (bias is not None and bias.requires_grad)
    exact = weight.dtype in (torch.float32, torch.float64) and x.dtype == weight.dtype
    return (
        x.device.type == "cpu"
        and exact
        and not trains
        and x.numel() >= WORTH * rank * x.shape[-1]
        and not torch.is_autocast_enabled("cpu")
    )


class MergedLinear(torch.autograd.Function):
    """A frozen linear map and its low-rank update, as one."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scale: float,
    ) -> Tensor:
        """Rows x (*n i), W (o i), b (o), A (r i), B (o r); gives (*n o)."""
        ctx.save_for_backward(x, weight, a, b)
        ctx.scale = scale
        return F.linear(x, torch.addmm(weight, b, a, alpha=scale), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, A and B; W + s B A is made anew, which is cheaper than to keep it."""
        x, weight, a, b = ctx.saved_tensors
        need_x, _, _, need_a, need_b, _ = ctx.needs_input_grad
        rows, out = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
        dx = da = db = None
        if need_x:
            dx = (out @ torch.addmm(weight, b, a, alpha=ctx.scale)).view(x.shape)
        if need_a:
            da = (out @ (b.t() * ctx.scale).contiguous().t()).t() @ rows
        if need_b:
            db = ((rows @ (a * ctx.scale).t()).t() @ out).t()
        return dx, None, None, da, db, None
