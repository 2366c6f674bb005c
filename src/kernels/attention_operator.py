"""Flash attention as a torch operator: real, fake and backward; autograd and compile see it whole.

Nothing here imports triton before an operator runs, so the module loads on any machine. On a CPU an
operator needs Triton's interpreter (TRITON_INTERPRET=1 before the first import of triton).
"""

from __future__ import annotations

from typing import Any, no_type_check

import torch
from torch import Tensor

from .placement import on_device, require_device, usable, usable_pair, usable_prefix


@torch.library.custom_op("tunebench::flash_attention", mutates_args=())
@no_type_check
def flash_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    causal: bool,
    window: int,
    scale: float,
    short: bool,
) -> tuple[Tensor, Tensor]:
    """Outputs (n h e) and log-sums (h n) of packed attention; a window below 0 means none.

    `short` chooses the launch rows for sequences of at most `launch.SHORT` tokens; longer ones give
    the same, more slowly.
    """
    require_device(q=q)
    from . import flash

    k, v = usable_pair(k, v)
    before_k, before_v = usable_prefix(prefix_k, prefix_v)
    with on_device(q):
        return flash.forward(
            usable(q), k, v, cu_seqlens_q, cu_seqlens_k, before_k, before_v,
            causal, window, scale, short,
        )  # fmt: skip


@flash_attention.register_fake
def _(q: Tensor, *_others: Any) -> tuple[Tensor, Tensor]:
    tokens, heads, _ = q.shape
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    return out, q.new_empty(heads, tokens, dtype=torch.float32)


@torch.library.custom_op("tunebench::flash_attention_backward", mutates_args=())
@no_type_check
def flash_attention_backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    out: Tensor,
    logsum: Tensor,
    causal: bool,
    window: int,
    scale: float,
    short: bool,
    wanted: list[bool],
) -> list[Tensor]:
    """Gradients of q, of k and v, of the prefix's: what `wanted` (three) asks for, else empty."""
    require_device(q=q)
    from . import flash

    q, grad = usable(q), usable(grad)
    k, v = usable_pair(k, v)
    before_k, before_v = usable_prefix(prefix_k, prefix_v)
    nothing = [q.new_empty(0) for _ in range(5)]
    if q.shape[0] == 0:
        return [*_zeros(wanted, nothing, q, k, v, prefix_k, prefix_v)]
    with on_device(q):
        products = flash.delta(out, grad)
        dq, dk, dv, dpk, dpv = nothing
        if wanted[0]:
            dq = flash.backward_queries(
                q, k, v, cu_seqlens_q, cu_seqlens_k, before_k, before_v, grad, logsum, products,
                causal, window, scale, short,
            )  # fmt: skip
        if wanted[1]:
            dk, dv = flash.backward_keys(
                q, k, v, cu_seqlens_q, cu_seqlens_k, grad, logsum, products,
                causal, window, scale, short,
            )  # fmt: skip
        if wanted[2] and before_k is not None and before_v is not None:
            dpk, dpv = flash.backward_prefix(q, before_k, before_v, grad, logsum, products, scale)
    return [dq, dk, dv, dpk, dpv]


def _zeros(wanted: list[bool], nothing: list[Tensor], *inputs: Tensor | None) -> list[Tensor]:
    """Zero gradients where they are wanted: what a batch without queries sends back."""
    asked = [wanted[0], wanted[1], wanted[1], wanted[2], wanted[2]]
    return [
        torch.zeros_like(x, memory_format=torch.contiguous_format)
        if ask and x is not None
        else none
        for ask, x, none in zip(asked, inputs, nothing, strict=True)
    ]


@flash_attention_backward.register_fake
def _(grad: Tensor, q: Tensor, k: Tensor, v: Tensor, *others: Any) -> list[Tensor]:
    prefix_k, prefix_v, wanted = others[2], others[3], others[-1]
    nothing = [q.new_empty(0) for _ in range(5)]
    return _zeros(wanted, nothing, q, k, v, prefix_k, prefix_v)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, causal, window, scale, short = inputs
    ctx.settings = (causal, window, scale, short)
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors, *output)


def _backward(ctx: Any, grad: Tensor, _logsum: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, cu_seqlens_q, cu_seqlens_k, prefix_k, prefix_v, out, logsum = ctx.saved_tensors
    need_q, need_k, need_v, _, _, need_pk, need_pv = ctx.needs_input_grad[:7]
    wanted = [need_q, need_k or need_v, need_pk or need_pv]
    dq, dk, dv, dpk, dpv = flash_attention_backward(
        grad, q, k, v, cu_seqlens_q, cu_seqlens_k, prefix_k, prefix_v, out, logsum, *ctx.settings,
        wanted,
    )  # fmt: skip
    gradients = [
        dq if need_q else None,
        dk if need_k else None,
        dv if need_v else None,
        None,
        None,
        dpk if need_pk else None,
        dpv if need_pv else None,
    ]
    return (*gradients, *[None] * len(ctx.settings))


flash_attention.register_autograd(_backward, setup_context=_setup)
