"""Attention of one new token per sequence to a cache of keys, split over the keys.

A query alone gives a GPU too little to do, so its keys are cut into spans that are attended side by
side, the learned prefix being the first, and a second kernel weighs their outputs by 2^logsum.

Source: the split over keys follows Dao et al. 2023, "Flash-Decoding for long-context inference".
"""

from __future__ import annotations

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .flash_forward import attend
from .launch import Launch, choose, widen
from .placement import prefix_arguments, strides
from .tiles import LOG2E, head_of, load_tile, offset, store_tile

SPLITS = 64
"""Spans at most, the prefix included: the second kernel holds all of them at once."""
SPAN = 256
"""Keys of one span, at least."""


@triton.jit
@no_type_check
def flash_decode(
    q, k, v, prefix_k, prefix_v, parts, logsums, starts, lengths,
    sequences, heads, prefix, group, span, scale,
    stride_qb, stride_qh, stride_kn, stride_kh, stride_pkn, stride_pkh,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
    PREFIX: tl.constexpr,
):  # fmt: skip
    """One span of keys of one key head; the tile's rows are its query heads; grid (b, g, spans)."""
    sequence, key_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    begin, length = tl.load(starts + sequence), tl.load(lengths + sequence)
    base_q = head_of(q, sequence, key_head * group, stride_qb, stride_qh)
    query = load_tile(base_q, 0, group, stride_qh, TILE_Q, HEAD, WIDE, True)
    row = tl.arange(0, TILE_Q)
    scale = scale * LOG2E
    output = tl.zeros([TILE_Q, WIDE], tl.float32)
    top = tl.full([TILE_Q], float("-inf"), tl.float32)
    total = tl.zeros([TILE_Q], tl.float32)
    part = split
    if PREFIX:
        output, top, total = attend(
            output, top, total, query,
            prefix_k + offset(key_head, stride_pkh), prefix_v + offset(key_head, stride_pkh),
            stride_pkn, 0, tl.where(split == 0, prefix, 0), prefix, row, 0, scale,
            TILE_K, HEAD, WIDE, False, False, True,
        )  # fmt: skip
        part = split - 1
    low = tl.where(part < 0, length, part * span)
    high = tl.minimum(low + span, length)
    output, top, total = attend(
        output, top, total, query, k + offset(key_head, stride_kh), v + offset(key_head, stride_kh),
        stride_kn, begin + low, begin + high, begin + high, row, 0, scale,
        TILE_K, HEAD, WIDE, False, False, True,
    )  # fmt: skip
    nothing = total == 0.0
    total = tl.where(nothing, 1.0, total)
    at = offset(split, sequences * heads) + sequence * heads + key_head * group
    store_tile(parts + at * HEAD, output / total[:, None], 0, group, HEAD, TILE_Q, HEAD, WIDE)
    summed = tl.where(nothing, float("-inf"), top + tl.log2(total))
    tl.store(logsums + at + row, summed, mask=row < group)


@triton.jit
@no_type_check
def flash_combine(
    parts, logsums, out, splits, rows, SPLITS: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr
):
    """Weigh the spans' outputs of one query head; grid (b · h)."""
    row = tl.program_id(0)
    split, column = tl.arange(0, SPLITS), tl.arange(0, WIDE)
    at = offset(split, rows) + row
    summed = tl.load(logsums + at, mask=split < splits, other=float("-inf"))
    top = tl.max(summed, 0)
    weights = tl.exp2(summed - tl.where(top == float("-inf"), 0.0, top))
    total = tl.sum(weights, 0)
    inside = (split < splits)[:, None] & (column < HEAD)[None, :]
    part = tl.load(parts + (at * HEAD)[:, None] + column[None, :], mask=inside, other=0.0)
    mean = tl.sum(part * weights[:, None], 0) / tl.where(total == 0.0, 1.0, total)
    target = out + offset(row, HEAD) + column
    tl.store(target, mean.to(out.dtype.element_ty), mask=column < HEAD)


def decode_constants(head: int, group: int, launch: Launch) -> dict[str, int | bool]:
    """What is compiled in; the ahead-of-time gate calls this too."""
    rows = max(launch.rows, 1 << (group - 1).bit_length())
    return {"TILE_Q": rows, "TILE_K": launch.columns, "HEAD": head, "WIDE": widen(head)}


def launch_decode(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    starts: Tensor,
    lengths: Tensor,
    max_seqlen: int,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    scale: float,
) -> Tensor:
    """Outputs (b h e) of queries (b h e), each over `lengths` keys (m g e) from row `starts` on."""
    sequences, heads, head = q.shape
    groups = k.shape[1]
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    if out.numel() == 0:
        return out
    launch = choose("decode", head, q.dtype, q.device)
    before_k, before_v, length = prefix_arguments(k, v, prefix_k, prefix_v)
    span = -(-max(SPAN, -(-max_seqlen // (SPLITS - 1))) // launch.columns) * launch.columns
    splits = -(-max_seqlen // span) + (length > 0)
    rows = sequences * heads
    parts = torch.empty(splits, rows, head, dtype=torch.float32, device=q.device)
    logsums = torch.empty(splits, rows, dtype=torch.float32, device=q.device)
    if splits:
        flash_decode[(sequences, groups, splits)](
            q, k, v, before_k, before_v, parts, logsums, starts, lengths, sequences, heads,
            length, heads // groups, span, scale, *strides(q, k, before_k),
            **decode_constants(head, heads // groups, launch), PREFIX=length > 0, **launch.options,
        )  # fmt: skip
    flash_combine[(rows,)](
        parts, logsums, out, splits, rows, SPLITS=1 << max(splits - 1, 0).bit_length(),
        HEAD=head, WIDE=widen(head), num_warps=launch.warps, num_stages=1,
    )  # fmt: skip
    return out
