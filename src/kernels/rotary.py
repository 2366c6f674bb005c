"""Rotary position embedding of queries and keys in one launch, out of place.

    (a, b) -> (a cos - b sin, b cos + a sin)      backward: the same with the sine negated

A program owns some tokens and all their heads, so that each row of the tables is read once per
token. Tables and arithmetic are fp32 whatever the type of the heads. Pairs are the halves of the
first 2r numbers, or neighbours where interleaved; the rest of a head is copied.

Source: Su et al. 2021, arXiv:2104.09864, eq. 34.
"""

from __future__ import annotations

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from .launch import Launch, choose
from .placement import strides
from .tiles import SEARCH, head_of, offset


@triton.jit
@no_type_check
def place_in_sequence(token, cu_seqlens, sequences, TOKENS: tl.constexpr):
    """How far each token stands from the beginning of its sequence."""
    begun = tl.zeros([TOKENS], tl.int32)
    for chunk in range(0, sequences, SEARCH):
        index = chunk + tl.arange(0, SEARCH)
        begin = tl.load(cu_seqlens + index, mask=index < sequences, other=0)
        before = tl.where(begin[None, :] <= token[:, None], begin[None, :], 0)
        begun = tl.maximum(begun, tl.max(before, 1))
    return token - begun


@triton.jit
@no_type_check
def rotate_halves(source, target, inside, cos, sin, HALF: tl.constexpr):
    """Rotate the pairs (i, r + i) of one head; source and target are addresses (tokens WIDE)."""
    left = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    right = tl.load(source + HALF, mask=inside, other=0.0).to(tl.float32)
    kind = target.dtype.element_ty
    tl.store(target, (left * cos - right * sin).to(kind), mask=inside)
    tl.store(target + HALF, (right * cos + left * sin).to(kind), mask=inside)


@triton.jit
@no_type_check
def rotate_interleaved(source, target, inside, cos, sin, TOKENS: tl.constexpr, WIDE: tl.constexpr):
    """Rotate the pairs (2i, 2i + 1) of one head; source and target are (tokens 2·WIDE)."""
    pairs = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    left, right = tl.split(tl.reshape(pairs, (TOKENS, WIDE, 2)))
    rotated = tl.join(left * cos - right * sin, right * cos + left * sin)
    rotated = tl.reshape(rotated, (TOKENS, 2 * WIDE))
    tl.store(target, rotated.to(target.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def rotate_heads(
    source, target, first, tokens, heads, stride_n, stride_h, stride_tn, stride_th, cos, sin,
    TOKENS: tl.constexpr, HEADS: tl.constexpr, HEAD: tl.constexpr,
    HALF: tl.constexpr, WIDE: tl.constexpr, REST: tl.constexpr,
    INTERLEAVED: tl.constexpr,
):  # fmt: skip
    """Rotate all heads of these tokens, HEADS of them in flight; cos and sin are (tokens WIDE)."""
    row = tl.arange(0, TOKENS)[:, None]
    half, whole = tl.arange(0, WIDE)[None, :], tl.arange(0, 2 * WIDE)[None, :]
    for start in range(0, heads, HEADS):
        for step in tl.static_range(HEADS):
            head = start + step
            exists = (first + row < tokens) & (head < heads)
            at = head_of(source, first, head, stride_n, stride_h) + row * stride_n
            to = head_of(target, first, head, stride_tn, stride_th) + row * stride_tn
            if INTERLEAVED:
                inside = exists & (whole < 2 * HALF)
                rotate_interleaved(at + whole, to + whole, inside, cos, sin, TOKENS, WIDE)
            else:
                rotate_halves(at + half, to + half, exists & (half < HALF), cos, sin, HALF)
            if REST > 0:
                rest = 2 * HALF + tl.arange(0, REST)[None, :]
                resting = exists & (rest < HEAD)
                tl.store(to + rest, tl.load(at + rest, mask=resting, other=0.0), mask=resting)


@triton.jit
@no_type_check
def rotary(
    q, k, rotated_q, rotated_k, cos, sin, places, sequences, tokens, heads_q, heads_k,
    stride_qn, stride_qh, stride_kn, stride_kh, stride_tqn, stride_tqh, stride_tkn, stride_tkh,
    TOKENS: tl.constexpr, HEADS: tl.constexpr, HEAD: tl.constexpr,
    HALF: tl.constexpr, WIDE: tl.constexpr, REST: tl.constexpr,
    INTERLEAVED: tl.constexpr, INVERSE: tl.constexpr, PACKED: tl.constexpr,
):  # fmt: skip
    """All heads of one tile of tokens; `places` holds positions, or cu_seqlens where PACKED."""
    first = tl.program_id(0) * TOKENS
    token = first + tl.arange(0, TOKENS)
    alive = token < tokens
    if PACKED:
        position = place_in_sequence(token, places, sequences, TOKENS)
    else:
        position = tl.load(places + token, mask=alive, other=0)
    column = tl.arange(0, WIDE)
    at = offset(position, HALF)[:, None] + column[None, :]
    known = alive[:, None] & (column[None, :] < HALF)
    cosine = tl.load(cos + at, mask=known, other=0.0)
    sine = tl.load(sin + at, mask=known, other=0.0)
    if INVERSE:
        sine = -sine
    rotate_heads(
        q, rotated_q, first, tokens, heads_q, stride_qn, stride_qh, stride_tqn, stride_tqh,
        cosine, sine, TOKENS, HEADS, HEAD, HALF, WIDE, REST, INTERLEAVED,
    )  # fmt: skip
    rotate_heads(
        k, rotated_k, first, tokens, heads_k, stride_kn, stride_kh, stride_tkn, stride_tkh,
        cosine, sine, TOKENS, HEADS, HEAD, HALF, WIDE, REST, INTERLEAVED,
    )  # fmt: skip


def rotary_constants(
    head: int, half: int, interleaved: bool, inverse: bool, packed: bool, launch: Launch
) -> dict[str, int | bool]:
    """What is compiled in; the ahead-of-time gate calls this too."""
    rest = head - 2 * half
    return {
        "TOKENS": launch.rows,
        "HEADS": launch.columns,
        "HEAD": head,
        "HALF": half,
        "WIDE": 1 << (half - 1).bit_length(),
        "REST": 1 << (rest - 1).bit_length() if rest else 0,
        "INTERLEAVED": interleaved,
        "INVERSE": inverse,
        "PACKED": packed,
    }


def launch_rotary(
    q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, places: Tensor, packed: bool,
    interleaved: bool, inverse: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Rotate q (n h e) and k (n g e) by contiguous tables (positions r) into new tensors."""
    rotated_q, rotated_k = (
        torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k)
    )
    tokens, heads, head = q.shape
    if tokens == 0:
        return rotated_q, rotated_k
    launch = choose("rotate", head, q.dtype, q.device)
    rotary[(-(-tokens // launch.rows),)](
        q, k, rotated_q, rotated_k, cos, sin, places, len(places) - 1 if packed else 0, tokens,
        heads, k.shape[1], *strides(q, k, rotated_q, rotated_k),
        **rotary_constants(head, cos.shape[1], interleaved, inverse, packed, launch),
        **launch.options,
    )  # fmt: skip
    return rotated_q, rotated_k
