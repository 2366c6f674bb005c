"""Flash attention, backward to the queries, from scores computed anew.

    delta_i = do_i · o_i      p_ij = 2^(s_ij - logsum_i)
    dq_i = scale · sum_j p_ij (do_i · v_j - delta_i) k_j

A program owns one tile of queries of one head and passes over the keys that it sees, prefix first,
as the forward pass does; nothing is added from two sides, so there are no atomics and every run
gives the same bits.

Source: Dao 2023, arXiv:2307.08691, algorithm 2.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from .tiles import LOG2E, find_pair, head_of, key_range, load_tile, offset, seen, store_tile


@triton.jit
@no_type_check
def flash_delta(
    out,
    grad,
    delta,
    tokens,
    stride_on,
    stride_oh,
    stride_gn,
    stride_gh,
    TILE_Q: tl.constexpr,
    HEAD: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Delta (h n), the inner product of each output with its gradient; grid (tiles, heads)."""
    row, head = tl.program_id(0) * TILE_Q, tl.program_id(1)
    base_o, base_g = out + offset(head, stride_oh), grad + offset(head, stride_gh)
    o = load_tile(base_o, row, tokens, stride_on, TILE_Q, HEAD, WIDE, True).to(tl.float32)
    g = load_tile(base_g, row, tokens, stride_gn, TILE_Q, HEAD, WIDE, True).to(tl.float32)
    rows = row + tl.arange(0, TILE_Q)
    tl.store(delta + offset(head, tokens) + rows, tl.sum(o * g, 1), mask=rows < tokens)


@triton.jit
@no_type_check
def gather_keys(
    dq,
    q,
    grad,
    logsum,
    delta,
    keys,
    values,
    stride_k,
    stride_v,
    low,
    high,
    count,
    place,
    window,
    scale,
    TILE_K: tl.constexpr,
    HEAD: tl.constexpr,
    WIDE: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    MASKED: tl.constexpr,
):
    """Add to dq what keys low … high of one source of keys send back."""
    for start in range(low, high, TILE_K):
        k = load_tile(keys, start, count, stride_k, TILE_K, HEAD, WIDE, MASKED)
        v = load_tile(values, start, count, stride_v, TILE_K, HEAD, WIDE, MASKED)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        if MASKED:
            key = start + tl.arange(0, TILE_K)
            visible = seen(place[:, None], key[None, :], count, window, CAUSAL, WINDOW)
            scores = tl.where(visible, scores, float("-inf"))
        weights = tl.exp2(scores - logsum[:, None])
        inner = tl.dot(grad, tl.trans(v), input_precision="ieee")
        ds = weights * (inner - delta[:, None])
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")
    return dq


@triton.jit
@no_type_check
def flash_queries(
    q,
    k,
    v,
    prefix_k,
    prefix_v,
    grad,
    logsum,
    delta,
    dq,
    cu_seqlens_q,
    cu_seqlens_k,
    sequences,
    tokens,
    prefix,
    group,
    window,
    scale,
    stride_qn,
    stride_qh,
    stride_kn,
    stride_kh,
    stride_vn,
    stride_vh,
    stride_pkn,
    stride_pkh,
    stride_pvn,
    stride_pvh,
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
    PREFIX: tl.constexpr,
):
    """The gradient of one tile of queries of one head; grid (tiles of cu_seqlens_q, heads)."""
    tile_number, head = tl.program_id(0), tl.program_id(1)
    begin_q, queries, row, begin_k, keys = find_pair(
        tile_number, cu_seqlens_q, cu_seqlens_k, sequences, TILE_Q
    )
    if row >= queries:
        return
    key_head = head // group
    base_q = head_of(q, begin_q, head, stride_qn, stride_qh)
    base_g = head_of(grad, begin_q, head, stride_gn, stride_gh)
    base_k = head_of(k, begin_k, key_head, stride_kn, stride_kh)
    base_v = head_of(v, begin_k, key_head, stride_vn, stride_vh)
    query = load_tile(base_q, row, queries, stride_qn, TILE_Q, HEAD, WIDE, True)
    g = load_tile(base_g, row, queries, stride_gn, TILE_Q, HEAD, WIDE, True)
    rows = row + tl.arange(0, TILE_Q)
    at = offset(head, tokens) + begin_q + rows
    summed = tl.load(logsum + at, mask=rows < queries, other=float("inf"))
    d = tl.load(delta + at, mask=rows < queries, other=0.0)
    place = rows + (keys - queries)
    scale_two = scale * LOG2E
    result = tl.zeros([TILE_Q, WIDE], tl.float32)
    if PREFIX:
        result = gather_keys(
            result, query, g, summed, d,
            prefix_k + offset(key_head, stride_pkh), prefix_v + offset(key_head, stride_pvh),
            stride_pkn, stride_pvn, 0, prefix, prefix, place, window, scale_two,
            TILE_K, HEAD, WIDE, False, False, True,
        )  # fmt: skip
    first = row + keys - queries
    last = tl.minimum(first + TILE_Q, keys) - 1
    low, upper, high = key_range(first, last, keys, window, TILE_K, CAUSAL, WINDOW)
    if not WINDOW:
        result = gather_keys(
            result, query, g, summed, d, base_k, base_v, stride_kn, stride_vn,
            low, upper, keys, place, window, scale_two,
            TILE_K, HEAD, WIDE, CAUSAL, WINDOW, False,
        )  # fmt: skip
    result = gather_keys(
        result, query, g, summed, d, base_k, base_v, stride_kn, stride_vn,
        upper, high, keys, place, window, scale_two,
        TILE_K, HEAD, WIDE, CAUSAL, WINDOW, True,
    )  # fmt: skip
    base_d = head_of(dq, begin_q, head, stride_dn, stride_dh)
    store_tile(base_d, result * scale, row, queries, stride_dn, TILE_Q, HEAD, WIDE)
