"""Plain dense loops of attention: the yardstick of what the kernels' own loops may cost.

One sequence of whole tiles, contiguous rows, one program a tile and head; no lengths, masks,
prefix, grouped heads or row that is not there. What remains per tile is what no kernel of this
shape can leave out: two products and a softmax forward, three products to the queries, four to the
keys. `make kernels-aot` compiles each for the same tile, warps and stages as the kernel beside it,
by the same compiler, and compares the instructions of their main loops. Nothing launches them.

Source: Dao 2023, arXiv:2307.08691, algorithms 1 and 2.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from .tiles import LOG2E, load_tile, store_tile


@triton.jit
@no_type_check
def plain_forward(
    q, k, v, out, logsum, keys, scale, stride_n,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One tile of queries over all keys; grid (tiles of queries)."""
    row = tl.program_id(0) * TILE_Q
    query = load_tile(q, row, keys, stride_n, TILE_Q, HEAD, WIDE, False)
    scale = scale * LOG2E
    output = tl.zeros([TILE_Q, WIDE], tl.float32)
    top = tl.full([TILE_Q], float("-inf"), tl.float32)
    total = tl.zeros([TILE_Q], tl.float32)
    for start in range(0, keys, TILE_K):
        scores = tl.dot(
            query,
            tl.trans(load_tile(k, start, keys, stride_n, TILE_K, HEAD, WIDE, False)),
            input_precision="ieee",
        )
        higher = tl.maximum(top, tl.max(scores, 1) * scale)
        weights = tl.exp2(scores * scale - higher[:, None])
        shrink = tl.exp2(top - higher)
        total = total * shrink + tl.sum(weights, 1)
        value = load_tile(v, start, keys, stride_n, TILE_K, HEAD, WIDE, False)
        output = tl.dot(
            weights.to(value.dtype), value, output * shrink[:, None], input_precision="ieee"
        )
        top = higher
    store_tile(out, output / total[:, None], row, keys, stride_n, TILE_Q, HEAD, WIDE)
    tl.store(logsum + row + tl.arange(0, TILE_Q), top + tl.log2(total))


@triton.jit
@no_type_check
def plain_queries(
    q, k, v, grad, logsum, delta, dq, keys, scale, stride_n,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """The gradient of one tile of queries over all keys; grid (tiles of queries)."""
    row = tl.program_id(0) * TILE_Q
    query = load_tile(q, row, keys, stride_n, TILE_Q, HEAD, WIDE, False)
    g = load_tile(grad, row, keys, stride_n, TILE_Q, HEAD, WIDE, False)
    summed = tl.load(logsum + row + tl.arange(0, TILE_Q))
    d = tl.load(delta + row + tl.arange(0, TILE_Q))
    scale_two = scale * LOG2E
    result = tl.zeros([TILE_Q, WIDE], tl.float32)
    for start in range(0, keys, TILE_K):
        key, value = (
            load_tile(k, start, keys, stride_n, TILE_K, HEAD, WIDE, False),
            load_tile(v, start, keys, stride_n, TILE_K, HEAD, WIDE, False),
        )
        scores = tl.dot(query, tl.trans(key), input_precision="ieee")
        weights = tl.exp2(scores * scale_two - summed[:, None])
        inner = tl.dot(g, tl.trans(value), input_precision="ieee")
        ds = weights * (inner - d[:, None])
        result = tl.dot(ds.to(key.dtype), key, result, input_precision="ieee")
    store_tile(dq, result * scale, row, keys, stride_n, TILE_Q, HEAD, WIDE)


@triton.jit
@no_type_check
def plain_keys(
    q, k, v, grad, logsum, delta, dk, dv, queries, scale, stride_n,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """The gradients of one tile of keys over all queries; grid (tiles of keys)."""
    row = tl.program_id(0) * TILE_K
    key = load_tile(k, row, queries, stride_n, TILE_K, HEAD, WIDE, False)
    value = load_tile(v, row, queries, stride_n, TILE_K, HEAD, WIDE, False)
    scale_two = scale * LOG2E
    sum_k = tl.zeros([TILE_K, WIDE], tl.float32)
    sum_v = tl.zeros([TILE_K, WIDE], tl.float32)
    rows = tl.arange(0, TILE_Q)
    for start in range(0, queries, TILE_Q):
        query = load_tile(q, start, queries, stride_n, TILE_Q, HEAD, WIDE, False)
        summed = tl.load(logsum + start + rows)
        scores = tl.dot(key, tl.trans(query), input_precision="ieee")
        weights = tl.exp2(scores * scale_two - summed[None, :])
        g = load_tile(grad, start, queries, stride_n, TILE_Q, HEAD, WIDE, False)
        sum_v = tl.dot(weights.to(g.dtype), g, sum_v, input_precision="ieee")
        inner = tl.dot(value, tl.trans(g), input_precision="ieee")
        d = tl.load(delta + start + rows)
        ds = weights * (inner - d[None, :])
        sum_k = tl.dot(ds.to(query.dtype), query, sum_k, input_precision="ieee")
    store_tile(dk, sum_k * scale, row, queries, stride_n, TILE_K, HEAD, WIDE)
    store_tile(dv, sum_v, row, queries, stride_n, TILE_K, HEAD, WIDE)
