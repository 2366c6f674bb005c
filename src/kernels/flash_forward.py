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
def attend(
    output, top, total, q, keys, values, stride, low, high, end, place, window, scale,
    TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Let the tile's queries attend to keys low … high of one source of keys, which has `end`.

    Scores stay as the product gives them; scaled inside the exponent they cost one fused
    multiply-add each. The largest of a row is scaled beside them, which takes a scale above zero.
    """
    for tile in range(0, tl.cdiv(high - low, TILE_K)):
        start = tile_start(low, tile, high, TILE_K)
        k = load_tile(keys, start, end, stride, TILE_K, HEAD, WIDE, MASKED)
        scores = tl.dot(q, tl.trans(k), input_precision="ieee")
        if MASKED:
            key = start + tl.arange(0, TILE_K)
            visible = seen(place[:, None], key[None, :], end, window, CAUSAL, WINDOW)
            scores = tl.where(visible, scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1) * scale)
        anchor = tl.where(higher == float("-inf"), 0.0, higher) if MASKED else higher
        weights = tl.exp2(scores * scale - anchor[:, None])
        shrink = tl.exp2(top - anchor)
        total = total * shrink + tl.sum(weights, 1)
        v = load_tile(values, start, end, stride, TILE_K, HEAD, WIDE, MASKED)
        output = tl.dot(weights.to(v.dtype), v, output * shrink[:, None], input_precision="ieee")
        top = higher
    return output, top, total


@triton.jit
@no_type_check
def attend_all(
    output, top, total, q, keys, values, stride, low, high, place, scale,
    TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """The same for keys that every query sees: only a last tile that they do not fill is masked."""
    full = whole_tiles(low, high, TILE_K)
    output, top, total = attend(
        output, top, total, q, keys, values, stride, low, full, high, place, 0, scale,
        TILE_K, HEAD, WIDE, False, False, False,
    )  # fmt: skip
    output, top, total = attend(
        output, top, total, q, keys, values, stride, full, high, high, place, 0, scale,
        TILE_K, HEAD, WIDE, False, False, True,
    )  # fmt: skip
    return output, top, total


@triton.jit
@no_type_check
def flash_forward(
    q, k, v, prefix_k, prefix_v, out, logsum, cu_seqlens_q, cu_seqlens_k,
    sequences, tokens, prefix, group, window, scale,
    stride_qn, stride_qh, stride_kn, stride_kh, stride_pkn, stride_pkh, stride_on, stride_oh,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    CAUSAL: tl.constexpr, WINDOW: tl.constexpr, PREFIX: tl.constexpr,
):  # fmt: skip
    """One tile of queries of one head; grid (tiles of cu_seqlens_q, heads)."""
    tile_number, head = tl.program_id(0), tl.program_id(1)
    first, end_q, begin_k, end_k = find_pair(
        tile_number, cu_seqlens_q, cu_seqlens_k, sequences, TILE_Q
    )
    if first >= end_q:
        return
    key_head = head // group
    own_k, own_v = k + offset(key_head, stride_kh), v + offset(key_head, stride_kh)
    query = load_rows(q + offset(head, stride_qh), first, end_q, stride_qn, TILE_Q, HEAD, WIDE)
    rows = first + tl.arange(0, TILE_Q)
    shift = end_k - end_q
    place = rows + shift
    scale = scale * LOG2E
    output = tl.zeros([TILE_Q, WIDE], tl.float32)
    top = tl.full([TILE_Q], float("-inf"), tl.float32)
    total = tl.zeros([TILE_Q], tl.float32)
    if PREFIX:
        output, top, total = attend_all(
            output, top, total, query,
            prefix_k + offset(key_head, stride_pkh), prefix_v + offset(key_head, stride_pkh),
            stride_pkn, 0, prefix, place, scale, TILE_K, HEAD, WIDE,
        )  # fmt: skip
    if CAUSAL or WINDOW:
        last = tl.minimum(first + shift + TILE_Q, end_k) - 1
        low, upper, high = key_range(
            first + shift, last, begin_k, end_k, window, TILE_K, CAUSAL, WINDOW
        )
        if not WINDOW:
            output, top, total = attend(
                output, top, total, query, own_k, own_v, stride_kn,
                low, upper, end_k, place, window, scale,
                TILE_K, HEAD, WIDE, CAUSAL, WINDOW, False,
            )  # fmt: skip
        output, top, total = attend(
            output, top, total, query, own_k, own_v, stride_kn,
            upper, high, end_k, place, window, scale,
            TILE_K, HEAD, WIDE, CAUSAL, WINDOW, True,
        )  # fmt: skip
    else:
        output, top, total = attend_all(
            output, top, total, query, own_k, own_v, stride_kn,
            begin_k, end_k, place, scale, TILE_K, HEAD, WIDE,
        )  # fmt: skip
    nothing = total == 0.0
    total = tl.where(nothing, 1.0, total)
    base_o = out + offset(head, stride_oh)
    store_tile(base_o, output / total[:, None], first, end_q, stride_on, TILE_Q, HEAD, WIDE)
    summed = tl.where(nothing, float("inf"), top + tl.log2(total))
    tl.store(logsum + offset(head, tokens) + rows, summed, mask=rows < end_q)
