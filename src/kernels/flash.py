"""Launching the attention kernels: what is allocated, which grid, which constants.

The constants of a kernel are made by one function each, which the ahead-of-time gate calls too:
what it compiles is what is launched.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .flash_forward import flash_forward
from .flash_keys import flash_keys
from .flash_prefix import flash_prefix
from .flash_queries import flash_delta, flash_queries
from .launch import Launch, choose, widen
from .placement import prefix_arguments, strides

Constants = dict[str, int | bool]

PREFIX_CHUNK = 512
"""Tokens of one chunk of the prefix gradient, at least."""
PREFIX_CHUNKS = 64
"""Chunks at most: they bound the memory of the partial sums."""


def tile_constants(head: int, launch: Launch) -> Constants:
    """Tile sides and head size, which every attention kernel takes."""
    return {"TILE_Q": launch.rows, "TILE_K": launch.columns, "HEAD": head, "WIDE": widen(head)}


def mask_constants(causal: bool, window: int) -> Constants:
    """Which masks are compiled in; a window below zero means none."""
    return {"CAUSAL": causal, "WINDOW": window >= 0}


def delta_constants(head: int, launch: Launch) -> Constants:
    """Constants of the row products of outputs and gradients."""
    return {"TILE_Q": launch.rows, "HEAD": head, "WIDE": widen(head)}


def count_tiles(tokens: int, cu_seqlens: Tensor, tile: int) -> int:
    """Tiles that a batch of these tokens needs at most; see `tiles.find`."""
    return tokens // tile + len(cu_seqlens) - 1


def forward(
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
    short: bool = False,
) -> tuple[Tensor, Tensor]:
    """Outputs (n h e) and the base-2 logarithms of the weights' sums (h n)."""
    tokens, heads, head = q.shape
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    logsum = torch.empty(heads, tokens, dtype=torch.float32, device=q.device)
    if tokens == 0:
        return out, logsum
    launch = choose("forward", head, q.dtype, q.device, short)
    before_k, before_v, length = prefix_arguments(k, v, prefix_k, prefix_v)
    flash_forward[(count_tiles(tokens, cu_seqlens_q, launch.rows), heads)](
        q, k, v, before_k, before_v, out, logsum, cu_seqlens_q, cu_seqlens_k,
        len(cu_seqlens_q) - 1, tokens, length, heads // k.shape[1], window, scale,
        *strides(q, k, before_k, out),
        **tile_constants(head, launch), **mask_constants(causal, window), PREFIX=length > 0,
        **launch.options,
    )  # fmt: skip
    return out, logsum


def delta(out: Tensor, grad: Tensor) -> Tensor:
    """Inner products (h n) of outputs and their gradients, in fp32."""
    tokens, heads, head = out.shape
    products = torch.empty(heads, tokens, dtype=torch.float32, device=out.device)
    launch = choose("delta", head, out.dtype, out.device)
    flash_delta[(-(-tokens // launch.rows), heads)](
        out, grad, products, tokens, *strides(out, grad),
        **delta_constants(head, launch), **launch.options,
    )  # fmt: skip
    return products


def backward_queries(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    grad: Tensor,
    logsum: Tensor,
    products: Tensor,
    causal: bool,
    window: int,
    scale: float,
    short: bool = False,
) -> Tensor:
    """The gradient of the queries (n h e)."""
    tokens, heads, head = q.shape
    dq = torch.empty_like(q, memory_format=torch.contiguous_format)
    launch = choose("queries", head, q.dtype, q.device, short)
    before_k, before_v, length = prefix_arguments(k, v, prefix_k, prefix_v)
    flash_queries[(count_tiles(tokens, cu_seqlens_q, launch.rows), heads)](
        q, k, v, before_k, before_v, grad, logsum, products, dq, cu_seqlens_q, cu_seqlens_k,
        len(cu_seqlens_q) - 1, tokens, length, heads // k.shape[1], window, scale,
        *strides(q, k, before_k, grad, dq),
        **tile_constants(head, launch), **mask_constants(causal, window), PREFIX=length > 0,
        **launch.options,
    )  # fmt: skip
    return dq


def backward_keys(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    grad: Tensor,
    logsum: Tensor,
    products: Tensor,
    causal: bool,
    window: int,
    scale: float,
    short: bool = False,
) -> tuple[Tensor, Tensor]:
    """The gradients of the keys and values (m g e)."""
    keys, groups, head = k.shape
    dk, dv = (torch.empty_like(k, memory_format=torch.contiguous_format) for _ in range(2))
    if keys == 0:
        return dk, dv
    launch = choose("keys", head, q.dtype, q.device, short)
    flash_keys[(count_tiles(keys, cu_seqlens_k, launch.columns), groups)](
        q, k, v, grad, logsum, products, dk, dv, cu_seqlens_q, cu_seqlens_k,
        len(cu_seqlens_k) - 1, q.shape[0], q.shape[1] // groups, window, scale,
        *strides(q, k, grad, dk),
        **tile_constants(head, launch), **mask_constants(causal, window), **launch.options,
    )  # fmt: skip
    return dk, dv


def prefix_chunk(tokens: int, tile: int) -> int:
    """How many tokens each partial sum of the prefix gradient covers, in whole tiles."""
    chunk = max(PREFIX_CHUNK, -(-tokens // PREFIX_CHUNKS))
    return -(-chunk // tile) * tile


def backward_prefix(
    q: Tensor,
    prefix_k: Tensor,
    prefix_v: Tensor,
    grad: Tensor,
    logsum: Tensor,
    products: Tensor,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """The gradients of prefix keys and values (p g e): chunk sums, added in a fixed order."""
    tokens, heads, head = q.shape
    prefix, groups = prefix_k.shape[:2]
    launch = choose("prefix", head, q.dtype, q.device)
    chunk = prefix_chunk(tokens, launch.rows)
    parts = -(-tokens // chunk)
    dk, dv = (
        torch.empty(parts, prefix, groups, head, dtype=torch.float32, device=q.device)
        for _ in range(2)
    )
    if prefix and tokens:
        flash_prefix[(-(-prefix // launch.columns), groups, parts)](
            q, prefix_k, prefix_v, grad, logsum, products, dk, dv,
            tokens, prefix, heads // groups, chunk, scale,
            *strides(q, prefix_k, grad), *dk.stride()[:3],
            **tile_constants(head, launch), **launch.options,
        )  # fmt: skip
    return dk.sum(0).to(q.dtype), dv.sum(0).to(q.dtype)
