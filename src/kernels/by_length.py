"""Packed attention on a CPU by the sequences' lengths, none padded to another's.

Short sequences go together through batched products and a softmax (`products.py`). Where one is
long, each goes by itself through torch's scaled_dot_product_attention, whose memory does not grow
with the square of a length; it is read where it lies in the packed row, neighbours of equal length
in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from .products import Mask, Products, Shape, plan
from .reference import after_prefix, visible

SHORT = 128
"""Keys of the longest sequence, the prefix included, up to which different lengths take
products: measured with bench/bench_cpu_attention.py, as the next two (table: docs/speed.md)."""
SHORT_EQUAL, MANY = 24, 8
"""Where all have one length, so that torch's attention needs one call: keys up to which, and the
number of sequences from which on, products are faster."""


@dataclass(frozen=True)
class Group:
    """Neighbouring sequences with equally many queries, and equally many keys."""

    sequences: int
    queries: int
    """Of each."""
    keys: int
    """Of each, without the prefix."""


def neighbours(starts_q: Sequence[int], starts_k: Sequence[int]) -> list[Group]:
    """Sequences between these places, neighbours with equal lengths together, empty ones not."""
    borders = zip(starts_q, starts_q[1:], starts_k, starts_k[1:], strict=False)
    lengths = ((end_q - begin_q, end_k - begin_k) for begin_q, end_q, begin_k, end_k in borders)
    return [Group(sum(1 for _ in same), *pair) for pair, same in groupby(lengths) if any(pair)]


def sees_all(groups: Sequence[Group], mask: Mask, prefix: int) -> bool:
    """Whether every query sees a key: where one sees none, its row has no softmax."""
    masked = mask.causal or mask.window is not None
    return prefix > 0 or all(
        group.queries <= group.keys if masked else group.keys or not group.queries
        for group in groups
    )


def suit_products(groups: Sequence[Group], prefix: int) -> bool:
    """Whether products are the faster form, and can be had: every query has a key of its own."""
    if any(group.queries != group.keys for group in groups):
        return False
    max_seqlen = prefix + max(group.keys for group in groups)
    if len(groups) > 1:
        return max_seqlen <= SHORT
    return max_seqlen <= SHORT_EQUAL and groups[0].sequences >= MANY


def _exact(*tensors: Tensor | None) -> bool:
    """Whether all are of one type that products take: full precision, and no autocast to half."""
    types = {x.dtype for x in tensors if x is not None}
    full = types <= {torch.float32} or types <= {torch.float64}
    return full and not torch.is_autocast_enabled("cpu")


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    groups: Sequence[Group],
    mask: Mask,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    scale: float,
) -> Tensor:
    """As `reference.attention`, for sequences in these groups."""
    prefix = 0 if prefix_k is None else len(prefix_k)
    if _exact(q, k, v, prefix_k, prefix_v) and suit_products(groups, prefix):
        lengths = tuple(group.queries for group in groups for _ in range(group.sequences))
        gathers = plan(lengths, Shape(q.shape[1], k.shape[1], prefix, mask, q.dtype))
        out: Tensor = Products.apply(q, k, v, prefix_k, prefix_v, gathers, scale)  # type: ignore[no-untyped-call]
        return out
    if len(groups) == 1:
        return _whole(q, k, v, groups[0], mask, prefix_k, prefix_v, scale)
    queries, keys = (
        [group.sequences * length for group, length in zip(groups, lengths, strict=True)]
        for lengths in zip(*((group.queries, group.keys) for group in groups), strict=True)
    )
    own_q, own_k, own_v = torch.split(q, queries), torch.split(k, keys), torch.split(v, keys)
    parts = zip(own_q, own_k, own_v, groups, strict=True)
    return torch.cat([_whole(*part, mask, prefix_k, prefix_v, scale) for part in parts])


def _whole(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    group: Group,
    mask: Mask,
    prefix_k: Tensor | None,
    prefix_v: Tensor | None,
    scale: float,
) -> Tensor:
    """One group by torch's attention."""
    rows, prefix = group.sequences, 0 if prefix_k is None else len(prefix_k)
    own_q = q.view(rows, group.queries, *q.shape[1:]).transpose(1, 2)
    own_k, own_v = (
        after_prefix(before, x.view(rows, group.keys, *k.shape[1:]).transpose(1, 2))
        for before, x in ((prefix_k, k), (prefix_v, v))
    )
    square = mask.causal and mask.window is None and not prefix and group.queries == group.keys
    seen = None
    if mask.window is not None or (mask.causal and not square and group.queries > 1):
        seen = visible(group.queries, group.keys, mask.causal, mask.window, q.device)
        seen = pad(seen, (prefix, 0), value=True)
    out = scaled_dot_product_attention(
        own_q,
        own_k,
        own_v,
        attn_mask=seen,
        is_causal=square,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return out.transpose(1, 2).flatten(0, 1)
