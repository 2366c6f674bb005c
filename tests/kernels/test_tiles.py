"""The helpers of the kernels, each against a few lines of Python."""

from __future__ import annotations

import pytest
import torch

triton = pytest.importorskip("triton", reason="triton is installed on Linux only")

import triton.language as tl  # noqa: E402 - after the variable of the interpreter is set
from tunebench.kernels import flash, tiles  # noqa: E402

find, offset, tile_pointers = tiles.find, tiles.offset, tiles.tile_pointers
load_rows = tiles.load_rows


@triton.jit
def locate(cu_seqlens, sequences, rows, TILE: tl.constexpr):
    tile_number = tl.program_id(0)
    sequence, first, end = find(tile_number, cu_seqlens, sequences, TILE)
    tl.store(rows + tile_number * 3, sequence)
    tl.store(rows + tile_number * 3 + 1, first)
    tl.store(rows + tile_number * 3 + 2, end)


@triton.jit
def reach(out, index, stride):
    tl.store(out, offset(index, stride))


@triton.jit
def address(out, base, first, stride):
    pointers = tile_pointers(base, first, stride, 16, 16)
    place = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    tl.store(out + place, pointers.to(tl.int64))


@triton.jit
def gather_rows(out, base, first, end, stride):
    rows = load_rows(base, first, end, stride, 16, 8, 16)
    place = tl.arange(0, 16)[:, None] * 16 + tl.arange(0, 16)[None, :]
    tl.store(out + place, rows)


@pytest.mark.parametrize(
    "lengths",
    [(0,), (0, 0, 3), (64, 64), (1, 63, 65, 0, 129, 7), tuple(range(0, 150)), (200,) + (1,) * 200],
    ids=lambda lengths: f"{len(lengths)} sequences",
)
def test_slots_visit_every_tile_of_every_sequence_once(lengths, device):
    tile = 64
    cu_seqlens = torch.tensor([0, *lengths], device=device).cumsum(0).to(torch.int32)
    tiles = flash.count_tiles(sum(lengths), cu_seqlens, tile)
    rows = torch.full((tiles, 3), -7, dtype=torch.int32, device=device)
    locate[(tiles,)](cu_seqlens, len(lengths), rows, TILE=tile)
    starts = cu_seqlens.tolist()
    visited = []
    for sequence, first, end in rows.tolist():
        assert end == starts[sequence + 1]
        if first < end:
            visited.append((sequence, first - starts[sequence]))
    wanted = [(s, row) for s, n in enumerate(lengths) for row in range(0, n, tile)]
    assert sorted(visited) == wanted
    assert tiles <= len(wanted) + len(lengths)


def test_offsets_past_two_to_the_31_keep_all_their_bits(device):
    out = torch.zeros(1, dtype=torch.int64, device=device)
    for index, stride in ((70_000, 65_536), (2**31 - 1, 2**24), (1, 2**30)):
        reach[(1,)](out, index, stride)
        assert out.item() == index * stride


def test_addresses_of_a_far_tile_keep_all_their_bits(device):
    base = torch.zeros(1, dtype=torch.float16, device=device)
    out = torch.zeros(256, dtype=torch.int64, device=device)
    first, stride = 3_000_000, 6_144
    address[(1,)](out, base, first, stride)
    row, column = torch.arange(16, device=device)[:, None], torch.arange(16, device=device)
    assert torch.equal(out.view(16, 16) - base.data_ptr(), 2 * ((first + row) * stride + column))


def test_a_row_that_is_not_there_repeats_the_last_and_columns_beyond_the_head_are_zero(device):
    table = torch.randn(20, 24, device=device)
    out = torch.full((16, 16), torch.nan, device=device)
    gather_rows[(1,)](out, table, 9, 14, 24)
    expected = torch.zeros(16, 16, device=device)
    expected[:, :8] = table[[9, 10, 11, 12, 13] + [13] * 11, :8]
    assert torch.equal(out, expected)
