"""Rotation as a torch operator, whose backward is itself with the sine negated."""

from __future__ import annotations

from typing import Any, no_type_check

import torch
from torch import Tensor

from .placement import on_device, require_device, usable


@torch.library.custom_op("tunebench::rotary", mutates_args=())
@no_type_check
def rotary(
    q: Tensor,
    k: Tensor,
    cos: Tensor,
    sin: Tensor,
    places: Tensor,
    packed: bool,
    interleaved: bool,
    inverse: bool,
) -> tuple[Tensor, Tensor]:
    """Rotated q (n h e) and k (n g e); `places`: positions (n), or cu_seqlens (b + 1)."""
    require_device(q=q)
    from .rotary import launch_rotary

    with on_device(q):
        return launch_rotary(
            usable(q), usable(k), cos.contiguous(), sin.contiguous(), places.contiguous(),
            packed, interleaved, inverse,
        )  # fmt: skip


@rotary.register_fake
def _(q: Tensor, k: Tensor, *_others: Any) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(q, memory_format=torch.contiguous_format),
        torch.empty_like(k, memory_format=torch.contiguous_format),
    )


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, _, cos, sin, places, packed, interleaved, inverse = inputs
    ctx.settings = (packed, interleaved, not inverse)
    ctx.save_for_backward(cos, sin, places)


def _backward(ctx: Any, grad_q: Tensor, grad_k: Tensor) -> tuple[Tensor | None, ...]:
    need_q, need_k = ctx.needs_input_grad[:2]
    grad_q = grad_q if need_q else grad_q[:, :0]
    grad_k = grad_k if need_k else grad_k[:, :0]
    dq, dk = rotary(grad_q, grad_k, *ctx.saved_tensors, *ctx.settings)
    return (dq if need_q else None, dk if need_k else None, *[None] * 6)


rotary.register_autograd(_backward, setup_context=_setup)
