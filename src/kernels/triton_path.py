"""The way from the public functions to the Triton operators: arguments checked, defaults filled in.

This module imports no triton; the operators do, when they first run.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .attention_operator import flash_attention
from .checks import check_attention, check_decode, check_prefix, check_rotation, check_scale
from .decode_operator import flash_decode
from .launch import SHORT
from .rotate_operator import rotary


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    causal: bool,
    window: int | None = None,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
    max_seqlen_q: int | None = None,
    max_seqlen_k: int | None = None,
) -> Tensor:
    """As `reference.attention`; a prefix of another number type is converted to that of k.

    Heads and prefix are checked by the caller, for all implementations alike.

    Where every sequence has one query and nothing is differentiated, the keys are split among
    programs instead (`flash_decode`).
    """
    check_attention(q, k, v, cu_seqlens_q, cu_seqlens_k, window)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    check_scale(scale)
    if prefix_k is not None and prefix_v is not None:
        prefix_k, prefix_v = prefix_k.to(k.dtype), prefix_v.to(k.dtype)
    single = max_seqlen_q == 1 and len(q) == len(cu_seqlens_q) - 1 and window is None
    if single and max_seqlen_k is not None and not _differentiated(q, k, v, prefix_k, prefix_v):
        starts, lengths = cu_seqlens_k[:-1], cu_seqlens_k[1:] - cu_seqlens_k[:-1]
        return _decode(q, k, v, starts, lengths, max_seqlen_k, prefix_k, prefix_v, scale)
    limit = -1 if window is None else window
    short = all(most is not None and most <= SHORT for most in (max_seqlen_q, max_seqlen_k))
    out: Tensor
    out, _ = flash_attention(
        q, k, v, cu_seqlens_q, cu_seqlens_k, prefix_k, prefix_v, causal, limit, scale, short
    )
    return out


def _differentiated(*tensors: Tensor | None) -> bool:
    """Whether autograd will ask for a gradient of one of them."""
    return torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors)


def decode(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    lengths: Tensor,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """As `reference.decode`."""
    check_decode(q, k, v, lengths)
    check_prefix(k, prefix_k, prefix_v)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    check_scale(scale)
    rows, capacity = k.shape[:2]
    starts = torch.arange(rows, dtype=torch.int32, device=q.device) * capacity
    if prefix_k is not None and prefix_v is not None:
        prefix_k, prefix_v = prefix_k.to(k.dtype), prefix_v.to(k.dtype)
    k, v = k.flatten(0, 1), v.flatten(0, 1)
    return _decode(q, k, v, starts, lengths, capacity, prefix_k, prefix_v, scale)


_decode: Callable[..., Tensor] = flash_decode
_rotary: Callable[..., tuple[Tensor, Tensor]] = rotary


def rotate(
    q: Tensor,
    k: Tensor,
    cos: Tensor,
    sin: Tensor,
    positions: Tensor | None,
    *,
    interleaved: bool = False,
    cu_seqlens: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `reference.rotate`; without positions they are counted from each sequence's beginning."""
    check_rotation(q, k, cos, sin, positions, cu_seqlens)
    places = positions if positions is not None else cu_seqlens
    assert places is not None, "check_rotation lets exactly one of them through"
    return _rotary(q, k, cos, sin, places, cu_seqlens is not None, interleaved, False)
