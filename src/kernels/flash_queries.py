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

from .tiles import (
    LOG2E,
    find_pair,
    key_range,
    load_rows,
    load_tile,
    offset,
    seen,
    store_tile,
    tile_start,
    whole_tiles,
)


@triton.jit
@no_type_check
def flash_delta(
    out, grad, delta, tokens, stride_on, stride_oh, stride_gn, stride_gh,
    TILE_Q: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
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
    dq, q, grad, logsum, delta, keys, values, stride, low, high, end, place, window, scale,
    TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Add to dq what keys low … high of one source of keys, which has `end`, send back."""
    for tile in range(0, tl.cdiv(high - low, TILE_K)):
        start = tile_start(low, tile, high, TILE_K)
        k = load_tile(keys, start, end, stride, TILE_K, HEAD, WIDE, MASKED)
        v = load_tile(values, start, end, stride, TILE_K, HEAD, WIDE, MASKED)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee")
        if MASKED:
            key = start + tl.arange(0, TILE_K)
            visible = seen(place[:, None], key[None, :], end, window, CAUSAL, WINDOW)
            scores = tl.where(visible, scores, float("-inf"))
        weights = tl.exp2(scores * scale - logsum[:, None])
        inner = tl.dot(grad, tl.trans(v), input_precision="ieee")
        ds = weights * (inner - delta[:, None])
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")
    return dq


@triton.jit
@no_type_check
def gather_all(
    dq, q, grad, logsum, delta, keys, values, stride, low, high, place, scale,
    TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """The same for keys that every query sees: only a last tile that they do not fill is masked."""
    full = whole_tiles(low, high, TILE_K)
    dq = gather_keys(
        dq, q, grad, logsum, delta, keys, values, stride, low, full, high, place, 0, scale,
        TILE_K, HEAD, WIDE, False, False, False,
    )  # fmt: skip
    dq = gather_keys(
        dq, q, grad, logsum, delta, keys, values, stride, full, high, high, place, 0, scale,
        TILE_K, HEAD, WIDE, False, False, True,
    )  # fmt: skip
    return dq


@triton.jit
@no_type_check
def flash_queries(
    q, k, v, prefix_k, prefix_v, grad, logsum, delta, dq, cu_seqlens_q, cu_seqlens_k,
    sequences, tokens, prefix, group, window, scale,
    stride_qn, stride_qh, stride_kn, stride_kh, stride_pkn, stride_pkh,
    stride_gn, stride_gh, stride_dn, stride_dh,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, PREFIX: tl.constexpr,
):  # fmt: skip
    """The gradient of one tile of queries of one head; grid (tiles of cu_seqlens_q, heads)."""
    tile_number, head = tl.program_id(0), tl.program_id(1)
    first, end_q, begin_k, end_k = find_pair(
        tile_number, cu_seqlens_q, cu_seqlens_k, sequences, TILE_Q
    )
    if first >= end_q:
        return
    key_head = head // group
    own_k, own_v = k + offset(key_head, stride_kh), v + offset(key_head, stride_kh)
    base_q, base_g = q + offset(head, stride_qh), grad + offset(head, stride_gh)
    query = load_rows(base_q, first, end_q, stride_qn, TILE_Q, HEAD, WIDE)
    g = load_rows(base_g, first, end_q, stride_gn, TILE_Q, HEAD, WIDE)
    rows = first + tl.arange(0, TILE_Q)
    at = offset(head, tokens) + tl.minimum(rows, end_q - 1)
    summed, d = tl.load(logsum + at), tl.load(delta + at)
    shift = end_k - end_q
    place = rows + shift
    scale_two = scale * LOG2E
    result = tl.zeros([TILE_Q, WIDE], tl.float32)
    if PREFIX:
        result = gather_all(
            result, query, g, summed, d,
            prefix_k + offset(key_head, stride_pkh), prefix_v + offset(key_head, stride_pkh),
            stride_pkn, 0, prefix, place, scale_two, TILE_K, HEAD, WIDE,
        )  # fmt: skip
    if CAUSAL or WINDOW:
        last = tl.minimum(first + shift + TILE_Q, end_k) - 1
        low, upper, high = key_range(
            first + shift, last, begin_k, end_k, window, TILE_K, CAUSAL, WINDOW
        )
        if not WINDOW:
            result = gather_keys(
                result, query, g, summed, d, own_k, own_v, stride_kn,
                low, upper, end_k, place, window, scale_two,
                TILE_K, HEAD, WIDE, CAUSAL, WINDOW, False,
            )  # fmt: skip
        result = gather_keys(
            result, query, g, summed, d, own_k, own_v, stride_kn,
            upper, high, end_k, place, window, scale_two,
            TILE_K, HEAD, WIDE, CAUSAL, WINDOW, True,
        )  # fmt: skip
    else:
        result = gather_all(
            result, query, g, summed, d, own_k, own_v, stride_kn, begin_k, end_k, place, scale_two,
            TILE_K, HEAD, WIDE,
        )  # fmt: skip
    base_d = dq + offset(head, stride_dh)
    store_tile(base_d, result * scale, first, end_q, stride_dn, TILE_Q, HEAD, WIDE)
