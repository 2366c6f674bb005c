"""Flash attention, backward to the keys and values.

    dv_j = sum_i p_ij do_i      dk_j = scale · sum_i p_ij (do_i · v_j - delta_i) q_i

A program owns one tile of keys of one key head and passes over the queries that see it, of all the
query heads that share it. Scores are held as (keys queries), so that both sums run over the second
axis. No two programs write the same place, so there are no atomics here either.

Source: Dao 2023, arXiv:2307.08691, algorithm 2.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from .tiles import (
    LOG2E,
    find_pair,
    load_rows,
    load_tile,
    offset,
    query_range,
    seen,
    store_tile,
    tile_start,
    whole_tiles,
)


@triton.jit
@no_type_check
def gather_tile(
    dk, dv, k, v, queries, grads, logsum, delta, stride_q, stride_g, start, end, key, keys, shift,
    window, scale, TILE_Q: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Add to dk and dv what the tile of queries that begins at `start` sends back."""
    row = start + tl.arange(0, TILE_Q)
    q = load_tile(queries, start, end, stride_q, TILE_Q, HEAD, WIDE, MASKED)
    scores = tl.dot(k, tl.trans(q), input_precision="ieee")
    if MASKED:
        # A row beyond the last query weighs nothing: its sum counts as infinite.
        summed = tl.load(logsum + row, mask=row < end, other=float("inf"))
        if CAUSAL or WINDOW:
            visible = seen(row[None, :] + shift, key[:, None], keys, window, CAUSAL, WINDOW)
            scores = tl.where(visible, scores, float("-inf"))
    else:
        summed = tl.load(logsum + row)
    weights = tl.exp2(scores * scale - summed[None, :])
    g = load_tile(grads, start, end, stride_g, TILE_Q, HEAD, WIDE, MASKED)
    dv = tl.dot(weights.to(g.dtype), g, dv, input_precision="ieee")
    inner = tl.dot(v, tl.trans(g), input_precision="ieee")
    d = tl.load(delta + row, mask=row < end, other=0.0) if MASKED else tl.load(delta + row)
    ds = weights * (inner - d[None, :])
    return tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee"), dv


@triton.jit
@no_type_check
def gather_queries(
    dk, dv, k, v, queries, grads, logsum, delta, stride_q, stride_g, low, middle, high, key, keys,
    shift, window, scale, TILE_Q: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
):  # fmt: skip
    """Add to dk and dv what queries low … high of one head send back; from middle on all see all.

    Whole tiles from middle on take no mask; those before, and a last one that the queries do not
    fill, share a loop with masks.
    """
    full = middle if WINDOW else whole_tiles(middle, high, TILE_Q)
    for tile in range(0, tl.cdiv(middle - low + high - full, TILE_Q)):
        start = low + tile * TILE_Q
        start = tl.where(start < middle, start, full)
        dk, dv = gather_tile(
            dk, dv, k, v, queries, grads, logsum, delta, stride_q, stride_g, start, high, key, keys,
            shift, window, scale, TILE_Q, HEAD, WIDE, CAUSAL, WINDOW, True,
        )  # fmt: skip
    if not WINDOW:
        for tile in range(0, tl.cdiv(full - middle, TILE_Q)):
            start = tile_start(middle, tile, full, TILE_Q)
            dk, dv = gather_tile(
                dk, dv, k, v, queries, grads, logsum, delta, stride_q, stride_g, start, high, key,
                keys, shift, window, scale, TILE_Q, HEAD, WIDE, CAUSAL, WINDOW, False,
            )  # fmt: skip
    return dk, dv


@triton.jit
@no_type_check
def flash_keys(
    q, k, v, grad, logsum, delta, dk, dv, cu_seqlens_q, cu_seqlens_k,
    sequences, tokens, group, window, scale,
    stride_qn, stride_qh, stride_kn, stride_kh, stride_gn, stride_gh, stride_dn, stride_dh,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr,
):  # fmt: skip
    """The gradients of one tile of keys and values; grid (tiles of cu_seqlens_k, key heads)."""
    tile_number, key_head = tl.program_id(0), tl.program_id(1)
    first, end_k, begin_q, end_q = find_pair(
        tile_number, cu_seqlens_k, cu_seqlens_q, sequences, TILE_K
    )
    if first >= end_k:
        return
    base_k, base_v = k + offset(key_head, stride_kh), v + offset(key_head, stride_kh)
    tile_k = load_rows(base_k, first, end_k, stride_kn, TILE_K, HEAD, WIDE)
    tile_v = load_rows(base_v, first, end_k, stride_kn, TILE_K, HEAD, WIDE)
    key = first + tl.arange(0, TILE_K)
    last = tl.minimum(first + TILE_K, end_k) - 1
    shift = end_k - end_q
    low, middle, high = query_range(
        first, last, shift, begin_q, end_q, window, TILE_Q, CAUSAL, WINDOW
    )
    scale_two = scale * LOG2E
    sum_k = tl.zeros([TILE_K, WIDE], tl.float32)
    sum_v = tl.zeros([TILE_K, WIDE], tl.float32)
    for head in range(key_head * group, key_head * group + group):
        at = offset(head, tokens)
        sum_k, sum_v = gather_queries(
            sum_k, sum_v, tile_k, tile_v, q + offset(head, stride_qh),
            grad + offset(head, stride_gh), logsum + at, delta + at, stride_qn, stride_gn,
            low, middle, high, key, end_k, shift, window, scale_two, TILE_Q, HEAD, WIDE,
            CAUSAL, WINDOW,
        )  # fmt: skip
    place = offset(key_head, stride_dh)
    store_tile(dk + place, sum_k * scale, first, end_k, stride_dn, TILE_K, HEAD, WIDE)
    store_tile(dv + place, sum_v, first, end_k, stride_dn, TILE_K, HEAD, WIDE)
