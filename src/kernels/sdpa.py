"""Packed attention with torch's own functions: the path of a CPU.

torch has no packed attention for a CPU. Where lengths may be looked at, sequences of equal length
go together (`by_length.py`), and nothing is padded. Else (in a graph that torch.compile makes, off
the CPU, or where a query sees no key) sequences are padded to the longest of the batch, here and
only here.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from . import by_length
from .by_length import Group
from .products import Mask
from .reference import after_prefix, visible


def lay_out(x: Tensor, cu_seqlens: Tensor, max_seqlen: int) -> Tensor:
    """Packed (n h e) to padded (b h max_seqlen e), zeros where a sequence has ended."""
    rows, heads, width = len(cu_seqlens) - 1, x.shape[1], x.shape[2]
    if len(x) != rows * max_seqlen:
        padded = x.new_zeros(rows * max_seqlen, heads * width)
        x = padded.index_copy(
            0, places(cu_seqlens, len(x), max_seqlen), x.reshape(len(x), heads * width)
        )
    return x.reshape(rows, max_seqlen, heads, width).transpose(1, 2)


def places(cu_seqlens: Tensor, tokens: int, max_seqlen: int) -> Tensor:
    """Where each of the packed tokens is in the padded (b · max_seqlen) row."""
    token = torch.arange(tokens, device=cu_seqlens.device)
    row = torch.searchsorted(cu_seqlens[1:].contiguous(), token, right=True)
    return token + row * max_seqlen - cu_seqlens[row]


def gather(x: Tensor, cu_seqlens: Tensor, tokens: int) -> Tensor:
    """Padded (b h max_seqlen e) back to packed (n h e)."""
    rows, heads, max_seqlen, width = x.shape
    flat = x.transpose(1, 2).reshape(rows * max_seqlen, heads, width)
    if tokens == rows * max_seqlen:
        return flat
    return flat.index_select(0, places(cu_seqlens, tokens, max_seqlen))


def mask(
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    queries: int,
    keys: int,
    prefix: int,
    causal: bool,
    window: int | None,
) -> Tensor:
    """Who sees whom, as booleans that broadcast to (b 1 queries prefix+keys)."""
    length_k = (cu_seqlens_k[1:] - cu_seqlens_k[:-1])[:, None, None]
    seen = torch.arange(keys, device=cu_seqlens_k.device)[None, None, :] < length_k
    if causal or window is not None:
        length_q = (cu_seqlens_q[1:] - cu_seqlens_q[:-1])[:, None, None]
        shift = length_k - length_q
        seen = seen & visible(queries, keys, causal, window, cu_seqlens_k.device, shift)
    return torch.nn.functional.pad(seen, (prefix, 0), value=True)[:, None]


def groups_lengths(device: torch.device) -> bool:
    """Whether equal lengths go together: on a CPU, where no graph is made of the code."""
    return device.type == "cpu" and not torch.compiler.is_compiling()


def _max_seqlen(cu_seqlens: Tensor) -> int:
    return int((cu_seqlens[1:] - cu_seqlens[:-1]).max())


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
    """As `reference.attention`, by whichever way is fast."""
    max_seqlen_q = _max_seqlen(cu_seqlens_q) if max_seqlen_q is None else max_seqlen_q
    max_seqlen_k = _max_seqlen(cu_seqlens_k) if max_seqlen_k is None else max_seqlen_k
    rows, tokens = len(cu_seqlens_q) - 1, len(q)
    even = tokens == rows * max_seqlen_q and len(k) == rows * max_seqlen_k
    prefix = 0 if prefix_k is None else len(prefix_k)
    if groups_lengths(q.device) and tokens:
        if even:
            groups = [Group(rows, max_seqlen_q, max_seqlen_k)]
        else:
            starts = cu_seqlens_q.tolist()
            same = cu_seqlens_q is cu_seqlens_k
            groups = by_length.neighbours(starts, starts if same else cu_seqlens_k.tolist())
        mask_of_all = Mask(causal, window)
        if by_length.sees_all(groups, mask_of_all, prefix):
            return by_length.attention(
                q,
                k,
                v,
                groups=groups,
                mask=mask_of_all,
                prefix_k=prefix_k,
                prefix_v=prefix_v,
                scale=q.shape[-1] ** -0.5 if scale is None else scale,
            )
    return padded(
        q,
        k,
        v,
        cu_seqlens_q=cu_seqlens_q,
        cu_seqlens_k=cu_seqlens_k,
        causal=causal,
        window=window,
        prefix_k=prefix_k,
        prefix_v=prefix_v,
        scale=scale,
        max_seqlen_q=max_seqlen_q,
        max_seqlen_k=max_seqlen_k,
    )


def padded(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    causal: bool,
    window: int | None = None,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """As `reference.attention`, in one call for all sequences, each padded to the longest."""
    rows, tokens = len(cu_seqlens_q) - 1, len(q)
    even = tokens == rows * max_seqlen_q and len(k) == rows * max_seqlen_k
    prefix = 0 if prefix_k is None else len(prefix_k)
    padded_k = after_prefix(prefix_k, lay_out(k, cu_seqlens_k, max_seqlen_k))
    padded_v = after_prefix(prefix_v, lay_out(v, cu_seqlens_k, max_seqlen_k))
    # A square causal batch without prefix or window needs no mask at all, padded or not: padding
    # stands after every token that could look at it.
    square = (
        causal
        and max_seqlen_q == max_seqlen_k
        and cu_seqlens_q is cu_seqlens_k
        and not prefix
        and window is None
    )
    free = square or (even and window is None and (not causal or max_seqlen_q == 1))
    seen = (
        None
        if free
        else mask(cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, prefix, causal, window)
    )
    out = scaled_dot_product_attention(
        lay_out(q, cu_seqlens_q, max_seqlen_q),
        padded_k,
        padded_v,
        attn_mask=seen,
        is_causal=square,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return gather(out, cu_seqlens_q, tokens)


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
    """As `reference.decode`, in one call for all rows; the caches are read where they lie."""
    max_seqlen, shortest = int(lengths.max()), int(lengths.min())
    prefix = 0 if prefix_k is None else len(prefix_k)
    own_k = after_prefix(prefix_k, k[:, :max_seqlen].transpose(1, 2))
    own_v = after_prefix(prefix_v, v[:, :max_seqlen].transpose(1, 2))
    seen = None
    if shortest < max_seqlen:
        filled = torch.arange(max_seqlen, device=q.device) < lengths[:, None]
        seen = torch.nn.functional.pad(filled, (prefix, 0), value=True)[:, None, None]
    # The heads that share keys stand as that many queries: nothing is repeated.
    grouped = q.reshape(len(q), k.shape[2], -1, q.shape[-1])
    out = scaled_dot_product_attention(grouped, own_k, own_v, attn_mask=seen, scale=scale)
    return out.flatten(1, 2)
