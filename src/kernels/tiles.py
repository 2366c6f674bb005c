"""What all attention kernels share: finding a sequence, addressing a tile, and who sees whom.

Sequences lie packed. A grid has one program for each tile of tokens, and the tiles' numbers need no
table and no look at the lengths from the host: sequence i begins at tile cu_seqlens[i] // tile + i,
which always leaves room for its ceil(length / tile) tiles, and n // tile + b tiles serve a batch of
b sequences and n tokens. So at most one tile per sequence stays empty, however uneven the lengths
are.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

SEARCH = tl.constexpr(128)
LOG2E = tl.constexpr(1.4426950408889634)
"""Scores times this are exponents of 2, which a GPU computes faster than those of e."""


@triton.jit
@no_type_check
def find(tile_number, cu_seqlens, sequences, TILE: tl.constexpr):
    """The sequence that a tile belongs to, the tile's first token, and where the sequence ends.

    An empty tile's first token is not before that end.
    """
    begun = 0
    for chunk in range(0, sequences, SEARCH):
        index = chunk + tl.arange(0, SEARCH)
        begin = tl.load(cu_seqlens + index, mask=index < sequences, other=0)
        before = (begin // TILE + index <= tile_number) & (index < sequences)
        begun += tl.sum(before.to(tl.int32), 0)
    sequence = begun - 1
    begin = tl.load(cu_seqlens + sequence)
    first = begin + (tile_number - begin // TILE - sequence) * TILE
    return sequence, first, tl.load(cu_seqlens + sequence + 1)


@triton.jit
@no_type_check
def find_pair(tile_number, cu_seqlens, others, sequences, TILE: tl.constexpr):
    """The tile's first token and its sequence's end; the sequence's begin and end in `others`.

    That is keys where `cu_seqlens` counts queries, queries where it counts keys. All are places in
    the packed row, so a kernel holds no address of a sequence, only numbers.
    """
    sequence, first, end = find(tile_number, cu_seqlens, sequences, TILE)
    return first, end, tl.load(others + sequence), tl.load(others + sequence + 1)


@triton.jit
@no_type_check
def offset(index, stride):
    """How far `index` rows of `stride` numbers reach, in 64 bits: products pass 2^31 early."""
    return tl.cast(index, tl.int64) * stride


@triton.jit
@no_type_check
def head_of(x, token, head, stride_n, stride_h):
    """The address of one head of one token in x (n h e)."""
    return x + offset(token, stride_n) + offset(head, stride_h)


@triton.jit
@no_type_check
def tile_pointers(base, first, stride, TILE: tl.constexpr, WIDE: tl.constexpr):
    """Addresses (TILE WIDE) of the rows from `first` on; inside a tile 32 bits suffice."""
    row, column = tl.arange(0, TILE), tl.arange(0, WIDE)
    return base + offset(first, stride) + (row[:, None] * stride + column[None, :])


@triton.jit
@no_type_check
def tile_mask(
    first, stop, TILE: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr, BOUNDED: tl.constexpr
):
    """Which numbers of such a tile exist: rows before `stop`, columns before HEAD."""
    row, column = first + tl.arange(0, TILE), tl.arange(0, WIDE)
    inside = column[None, :] < HEAD
    if BOUNDED:
        inside = inside & (row[:, None] < stop)
    return inside


@triton.jit
@no_type_check
def load_tile(
    base,
    first,
    stop,
    stride,
    TILE: tl.constexpr,
    HEAD: tl.constexpr,
    WIDE: tl.constexpr,
    BOUNDED: tl.constexpr,
):
    """Rows first … first + TILE of (rows HEAD) as (TILE WIDE), zero where there is none."""
    pointers = tile_pointers(base, first, stride, TILE, WIDE)
    if BOUNDED or HEAD != WIDE:
        inside = tile_mask(first, stop, TILE, HEAD, WIDE, BOUNDED)
        return tl.load(pointers, mask=inside, other=0.0)
    return tl.load(pointers)


@triton.jit
@no_type_check
def load_rows(base, first, end, stride, TILE: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr):
    """Such a tile of which the first row exists; a row that does not repeats the last that does.

    Without masks: those of the rows would be kept in registers until the rows are stored.
    """
    row = tl.minimum(tl.arange(0, TILE), end - first - 1)
    column = tl.arange(0, WIDE)
    pointers = base + offset(first, stride) + (row[:, None] * stride + column[None, :])
    if HEAD != WIDE:
        inside = tile_mask(first, end, TILE, HEAD, WIDE, False)
        return tl.load(pointers, mask=inside, other=0.0)
    return tl.load(pointers)


@triton.jit
@no_type_check
def store_tile(
    base, value, first, stop, stride, TILE: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr
):
    """Write (TILE WIDE) to the rows first … of (rows HEAD) that exist, in their own type."""
    pointers = tile_pointers(base, first, stride, TILE, WIDE)
    inside = tile_mask(first, stop, TILE, HEAD, WIDE, True)
    tl.store(pointers, value.to(base.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def seen(place, key, end, window, CAUSAL: tl.constexpr, WINDOW: tl.constexpr):
    """Whether the query that stands at `place` sees the key at `key`; both broadcast.

    A query stands where the key is that it is aligned with: the last with the last.
    """
    visible = key < end
    if CAUSAL:
        visible = visible & (key <= place)
    if WINDOW:
        visible = visible & (key - place <= window) & (place - key <= window)
    return visible


@triton.jit
@no_type_check
def whole_tiles(begin, end, TILE: tl.constexpr):
    """Where the last whole tile ends of those that begin at `begin`."""
    return begin + tl.maximum(end - begin, 0) // TILE * TILE


@triton.jit
@no_type_check
def tile_start(low, tile, high, TILE: tl.constexpr):
    """Where a tile of low … high begins, counted from low.

    The minimum changes nothing: it keeps LLVM from giving each vector of a tile a running address,
    two registers and four instructions each.
    """
    return tl.minimum(low + tile * TILE, high)


@triton.jit
@no_type_check
def key_range(
    first, last, begin, end, window, TILE: tl.constexpr, CAUSAL: tl.constexpr, WINDOW: tl.constexpr
):
    """Keys that queries at places first … last see: all see low … upper, some see upper … high.

    low and upper are whole tiles away from begin. A window is seldom wider than a tile, so there
    every key counts as seen by some.
    """
    low, upper, high = begin, end, end
    if CAUSAL:
        upper = tl.minimum(upper, first + 1)
        high = tl.minimum(high, last + 1)
    if WINDOW:
        low = whole_tiles(begin, first - window, TILE)
        high = tl.minimum(high, last + window + 1)
        upper = low
    return low, whole_tiles(begin, upper, TILE), high


@triton.jit
@no_type_check
def query_range(
    first,
    last,
    shift,
    begin,
    end,
    window,
    TILE: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
):
    """Queries that see keys first … last: some of low … middle do, and all of middle … high.

    Query i stands at place i + shift; low is whole tiles away from begin, and middle too where it
    is not high. With a window every query counts as one that sees some.
    """
    low, middle, high = begin, begin, end
    if CAUSAL:
        low = tl.maximum(low, first - shift)
        middle = tl.maximum(middle, last - shift)
    if WINDOW:
        low = tl.maximum(low, first - window - shift)
        high = tl.minimum(high, last + window + 1 - shift)
        middle = high
    middle = whole_tiles(begin, middle + TILE - 1, TILE)
    return whole_tiles(begin, low, TILE), tl.minimum(middle, high), high
