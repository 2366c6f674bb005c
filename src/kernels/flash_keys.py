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

from .tiles import LOG2E, find_pair, head_of, load_tile, offset, query_range, seen, store_tile


@triton.jit
@no_type_check
def gather_queries(
    dk,
    dv,
    k,
    v,
    queries,
    grads,
    logsum,
    delta,
    stride_q,
    stride_g,
    low,
    high,
    count,
    key,
    keys,
    shift,
    window,
    scale,
    TILE_Q: tl.constexpr,
    HEAD: tl.constexpr,
    WIDE: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Add to dk and dv what queries low … high of one head send back."""
    for start in range(low, high, TILE_Q):
        row = start + tl.arange(0, TILE_Q)
        q = load_tile(queries, start, count, stride_q, TILE_Q, HEAD, WIDE, True)
        # A row beyond the last query weighs nothing: its sum counts as infinite.
        summed = tl.load(logsum + row, mask=row < count, other=float("inf"))
        scores = tl.dot(k, tl.trans(q), input_precision="ieee") * scale
        if MASKED:
            visible = seen(row[None, :] + shift, key[:, None], keys, window, CAUSAL, WINDOW)
            scores = tl.where(visible, scores, float("-inf"))
        weights = tl.exp2(scores - summed[None, :])
        g = load_tile(grads, start, count, stride_g, TILE_Q, HEAD, WIDE, True)
        dv = tl.dot(weights.to(g.dtype), g, dv, input_precision="ieee")
        inner = tl.dot(v, tl.trans(g), input_precision="ieee")
        d = tl.load(delta + row, mask=row < count, other=0.0)
        ds = weights * (inner - d[None, :])
        dk = tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee")
    return dk, dv


@triton.jit
@no_type_check
def flash_keys(
    q,
    k,
    v,
    grad,
    logsum,
    delta,
    dk,
    dv,
    cu_seqlens_q,
    cu_seqlens_k,
    sequences,
    tokens,
    group,
    window,
    scale,
    stride_qn,
    stride_qh,
    stride_kn,
    stride_kh,
    stride_vn,
    stride_vh,
    stride_gn,
    stride_gh,
    stride_dn,
    stride_dh,
    TILE_Q: tl.constexpr,
    TILE_K: tl.constexpr,
    HEAD: tl.constexpr,
    WIDE: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
):
    """The gradients of one tile of keys and values; grid (tiles of cu_seqlens_k, key heads)."""
    tile_number, key_head = tl.program_id(0), tl.program_id(1)
    begin_k, keys, first, begin_q, queries = find_pair(
        tile_number, cu_seqlens_k, cu_seqlens_q, sequences, TILE_K
    )
    if first >= keys:
        return
    shift = keys - queries
    base_k = head_of(k, begin_k, key_head, stride_kn, stride_kh)
    base_v = head_of(v, begin_k, key_head, stride_vn, stride_vh)
    tile_k = load_tile(base_k, first, keys, stride_kn, TILE_K, HEAD, WIDE, True)
    tile_v = load_tile(base_v, first, keys, stride_vn, TILE_K, HEAD, WIDE, True)
    key = first + tl.arange(0, TILE_K)
    last = tl.minimum(first + TILE_K, keys) - 1
    low, middle, high = query_range(first, last, shift, queries, window, TILE_Q, CAUSAL, WINDOW)
    # The last tile of a sequence holds rows that are no keys: there every query needs the mask.
    middle = tl.where(first + TILE_K > keys, tl.maximum(high, middle), middle)
    scale_two = scale * LOG2E
    sum_k = tl.zeros([TILE_K, WIDE], tl.float32)
    sum_v = tl.zeros([TILE_K, WIDE], tl.float32)
    for head in range(key_head * group, key_head * group + group):
        base_q = head_of(q, begin_q, head, stride_qn, stride_qh)
        base_g = head_of(grad, begin_q, head, stride_gn, stride_gh)
        at = offset(head, tokens) + begin_q
        sum_k, sum_v = gather_queries(
            sum_k, sum_v, tile_k, tile_v, base_q, base_g, logsum + at, delta + at,
            stride_qn, stride_gn, low, tl.minimum(middle, high), queries, key, keys, shift,
            window, scale_two, TILE_Q, HEAD, WIDE, CAUSAL, WINDOW, True,
        )  # fmt: skip
        if not WINDOW:
            sum_k, sum_v = gather_queries(
                sum_k, sum_v, tile_k, tile_v, base_q, base_g, logsum + at, delta + at,
                stride_qn, stride_gn, middle, high, queries, key, keys, shift,
                window, scale_two, TILE_Q, HEAD, WIDE, CAUSAL, WINDOW, False,
            )  # fmt: skip
    place = offset(begin_k, stride_dn) + offset(key_head, stride_dh)
    store_tile(dk + place, sum_k * scale, first, keys, stride_dn, TILE_K, HEAD, WIDE)
    store_tile(dv + place, sum_v, first, keys, stride_dn, TILE_K, HEAD, WIDE)
