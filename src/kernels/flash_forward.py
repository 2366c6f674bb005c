"""Flash attention, forward: one pass over the keys with a running softmax in base 2.

    m' = max(m, s)    l' = l · 2^(m - m') + sum 2^(s - m')    o' = o · 2^(m - m') + 2^(s - m') v

with s = scale · log2(e) · q k. A program owns one tile of queries of one head: it reads the prefix
keys first (seen by all, whatever the mask), then the sequence's own keys that some query of the
tile may see, without a mask where every query sees them. Scores live in registers alone. Saved for
the backward pass: m + log2(l) per query, in fp32; a query that sees no key gives 0 and saves +inf.

Source: Dao et al. 2022, arXiv:2205.14135, algorithm 1; Dao 2023, arXiv:2307.08691, algorithm 1.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from .tiles import LOG2E, find_pair, head_of, key_range, load_tile, offset, seen, store_tile


@triton.jit
@no_type_check
def attend(
    output,
    top,
    total,
    q,
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
    """Let the tile's queries attend to keys low … high of one source of keys."""
    for start in range(low, high, TILE_K):
        k = load_tile(keys, start, count, stride_k, TILE_K, HEAD, WIDE, MASKED)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        if MASKED:
            key = start + tl.arange(0, TILE_K)
            visible = seen(place[:, None], key[None, :], count, window, CAUSAL, WINDOW)
            scores = tl.where(visible, scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        anchor = tl.where(higher == float("-inf"), 0.0, higher)
        weights = tl.exp2(scores - anchor[:, None])
        shrink = tl.exp2(top - anchor)
        total = total * shrink + tl.sum(weights, 1)
        v = load_tile(values, start, count, stride_v, TILE_K, HEAD, WIDE, MASKED)
        output = tl.dot(weights.to(v.dtype), v, output * shrink[:, None], input_precision="ieee")
        top = higher
    return output, top, total


@triton.jit
@no_type_check
def flash_forward(
    q,
    k,
    v,
    prefix_k,
    prefix_v,
    out,
    logsum,
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
    stride_on,
    stride_oh,
    TILE_Q: tl.constexpr,
    TILE_K: tl.constexpr,
    HEAD: tl.constexpr,
    WIDE: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
    PREFIX: tl.constexpr,
):
    """One tile of queries of one head; grid (tiles of cu_seqlens_q, heads)."""
    tile_number, head = tl.program_id(0), tl.program_id(1)
    begin_q, queries, row, begin_k, keys = find_pair(
        tile_number, cu_seqlens_q, cu_seqlens_k, sequences, TILE_Q
    )
    if row >= queries:
        return
    key_head = head // group
    base_q = head_of(q, begin_q, head, stride_qn, stride_qh)
    base_k = head_of(k, begin_k, key_head, stride_kn, stride_kh)
    base_v = head_of(v, begin_k, key_head, stride_vn, stride_vh)
    query = load_tile(base_q, row, queries, stride_qn, TILE_Q, HEAD, WIDE, True)
    rows = row + tl.arange(0, TILE_Q)
    place = rows + (keys - queries)
    scale = scale * LOG2E
    output = tl.zeros([TILE_Q, WIDE], tl.float32)
    top = tl.full([TILE_Q], float("-inf"), tl.float32)
    total = tl.zeros([TILE_Q], tl.float32)
    if PREFIX:
        output, top, total = attend(
            output, top, total, query,
            prefix_k + offset(key_head, stride_pkh), prefix_v + offset(key_head, stride_pvh),
            stride_pkn, stride_pvn, 0, prefix, prefix, place, window, scale,
            TILE_K, HEAD, WIDE, False, False, True,
        )  # fmt: skip
    first = row + keys - queries
    last = tl.minimum(first + TILE_Q, keys) - 1
    low, upper, high = key_range(first, last, keys, window, TILE_K, CAUSAL, WINDOW)
    if not WINDOW:
        output, top, total = attend(
            output, top, total, query, base_k, base_v, stride_kn, stride_vn,
            low, upper, keys, place, window, scale,
            TILE_K, HEAD, WIDE, CAUSAL, WINDOW, False,
        )  # fmt: skip
    output, top, total = attend(
        output, top, total, query, base_k, base_v, stride_kn, stride_vn,
        upper, high, keys, place, window, scale,
        TILE_K, HEAD, WIDE, CAUSAL, WINDOW, True,
    )  # fmt: skip
    nothing = total == 0.0
    total = tl.where(nothing, 1.0, total)
    base_o = head_of(out, begin_q, head, stride_on, stride_oh)
    store_tile(base_o, output / total[:, None], row, queries, stride_on, TILE_Q, HEAD, WIDE)
    summed = tl.where(nothing, float("inf"), top + tl.log2(total))
    tl.store(logsum + offset(head, tokens) + begin_q + rows, summed, mask=rows < queries)
