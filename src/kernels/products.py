"""Short sequences on a CPU: two batched products and a softmax, for all lengths in one step.

    S = scale · Q Kᵀ + mask     P = softmax(S)     O = P V
    dV = Pᵀ dO     dS = P (dO Vᵀ - sum_j P dO Vᵀ)     dQ = scale · dS K     dK = scale · dSᵀ Q

Sequences whose keys fill equally many vectors of eight numbers stand in one batch of products, each
filled up to the last vector: at most seven places. So there are few calls, and torch's softmax
meets whole vectors only: a row of 14 numbers takes it seven times as long as one of 16. One gather
brings heads and sequences together, one takes them back; what a place is filled with is the
sequence's own first token, whose weight is zero there. P is kept for the backward pass: lengths are
short where this is chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .reference import visible

VECTOR = 8
"""fp32 numbers that AVX2 takes at once."""
SCORES = 1 << 18
"""Scores of a batch of products at most, where it has several sequences: they stay in a cache."""


@dataclass(frozen=True)
class Mask:
    """Who sees whom in every sequence."""

    causal: bool
    window: int | None


@dataclass(frozen=True)
class Shape:
    """What does not differ between the sequences of a call."""

    heads: int
    groups: int
    """Heads of keys and values."""
    prefix: int
    mask: Mask
    dtype: torch.dtype


@dataclass(frozen=True)
class Bucket:
    """Sequences whose keys fill equally many vectors."""

    batch: int
    """Products in the batch: sequences · g."""
    queries: slice
    """Where its rows are among all that were gathered: (sequences h places)."""
    keys: slice
    """The same: (sequences g places), the prefix's places first."""
    unseen: Tensor | None
    """0 or -inf, broadcast to (batch, h / g · places, places of keys); none: all see all."""


@dataclass(frozen=True)
class Plan:
    """How packed rows of one head, (token, head), are gathered into buckets and taken back."""

    buckets: tuple[Bucket, ...]
    queries: Tensor
    """The packed row at each place: bucket after bucket, (sequence, head, place)."""
    keys: Tensor
    """The same for keys, those of the prefix counted first."""
    queries_back: Tensor
    """The place of each packed row."""
    keys_back: Tensor
    filled: Tensor
    """Places of queries that only fill up."""


@lru_cache(maxsize=8)
def plan(lengths: tuple[int, ...], shape: Shape) -> Plan:
    """The buckets of sequences of these lengths; the same for all layers."""
    by_size: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        if length:
            size = -(-(shape.prefix + length) // VECTOR) * VECTOR
            by_size.setdefault(size, []).append(row)
    # What is made where nothing is learned is met again in training.
    with torch.inference_mode(False):
        length_of = torch.tensor(lengths)
        start_of = length_of.cumsum(0) - length_of
        buckets, places = [], []
        first_query = first_key = 0
        for size, rows in sorted(by_size.items()):
            most = max(1, SCORES // (shape.heads * size * size))
            for begin in range(0, len(rows), most):
                chosen = torch.tensor(rows[begin : begin + most])
                indices = _places(size, length_of[chosen], start_of[chosen], shape)
                after_query, after_key = first_query + len(indices[0]), first_key + len(indices[1])
                bucket = Bucket(
                    len(chosen) * shape.groups,
                    slice(first_query, after_query),
                    slice(first_key, after_key),
                    _unseen(size, length_of[chosen], shape),
                )
                first_query, first_key = after_query, after_key
                buckets.append(bucket)
                places.append(indices)
        queries, keys, real_queries, real_keys = map(torch.cat, zip(*places, strict=True))
        return Plan(
            tuple(buckets),
            queries,
            keys,
            _back(queries[real_queries], real_queries),
            _back(keys[real_keys] - shape.prefix * shape.groups, real_keys),
            (~real_queries).nonzero().flatten(),
        )


def _places(
    size: int, lengths: Tensor, starts: Tensor, shape: Shape
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The packed row at each place of a bucket, queries and keys; which of them are the text's."""
    place = torch.arange(size - shape.prefix)
    real = place < lengths[:, None]
    token = starts[:, None] + place * real
    before = torch.arange(shape.prefix).expand(len(lengths), -1)
    key = torch.cat([before, token + shape.prefix], 1)
    # The prefix's rows have no one place to go back to: their gradients are added up.
    real_key = torch.cat([torch.zeros_like(before, dtype=torch.bool), real], 1)

    def rows(token: Tensor, heads: int) -> Tensor:
        """Rows of one head (sequence, head, place) of tokens (sequence, place)."""
        return (token[:, None] * heads + torch.arange(heads)[:, None]).flatten()

    def of_heads(real: Tensor, heads: int) -> Tensor:
        return real[:, None].expand(-1, heads, -1).flatten()

    return (
        rows(token, shape.heads),
        rows(key, shape.groups),
        of_heads(real, shape.heads),
        of_heads(real_key, shape.groups),
    )


def _unseen(size: int, lengths: Tensor, shape: Shape) -> Tensor | None:
    """A bucket's mask; where causal, places that fill up stand after all that could see them."""
    mask, queries = shape.mask, size - shape.prefix
    real = torch.arange(queries) < lengths[:, None]
    seen = real[:, None]
    if mask.causal or mask.window is not None:
        near = visible(queries, queries, mask.causal, mask.window, real.device)
        # Each row of a softmax needs a key, those that fill up too.
        seen = near[None] if mask.causal else seen & (near | ~real[:, :, None])
    elif bool(real.all()):
        return None
    seen = torch.nn.functional.pad(seen, (shape.prefix, 0), value=True)
    unseen = torch.zeros(seen.shape, dtype=shape.dtype).masked_fill_(~seen, -math.inf)
    if seen.shape[1] > 1:
        unseen = unseen.repeat(1, shape.heads // shape.groups, 1)
    return unseen if mask.causal else unseen.repeat_interleave(shape.groups, 0)


def _back(rows: Tensor, real: Tensor) -> Tensor:
    """The place of each packed row, all of which stand at one real place."""
    return torch.empty_like(rows).index_copy_(0, rows, real.nonzero().flatten())


class Products(torch.autograd.Function):
    """Attention of packed sequences by a plan."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        prefix_k: Tensor | None,
        prefix_v: Tensor | None,
        plan: Plan,
        scale: float,
    ) -> Tensor:
        """Queries (n h e), keys and values (n g e), prefix (p g e); gives (n h e)."""
        rows_q = _rows(q).index_select(0, plan.queries)
        rows_k = _rows(k, prefix_k).index_select(0, plan.keys)
        rows_v = _rows(v, prefix_v).index_select(0, plan.keys)
        rows_out = torch.empty_like(rows_q)
        weights = []
        for bucket in plan.buckets:
            own_q, out = (_batch(rows, bucket, bucket.queries) for rows in (rows_q, rows_out))
            own_k, own_v = (_batch(rows, bucket, bucket.keys) for rows in (rows_k, rows_v))
            if bucket.unseen is None:
                scores = _product(own_q, own_k.mT, scale)
            else:
                scores = torch.baddbmm(bucket.unseen, own_q, own_k.mT, alpha=scale)
            weights.append(torch.softmax(scores, -1))
            torch.bmm(weights[-1], own_v, out=out)
        ctx.plan, ctx.scale, ctx.groups = plan, scale, k.shape[1]
        ctx.prefix = 0 if prefix_k is None else len(prefix_k)
        ctx.save_for_backward(rows_q, rows_k, rows_v, *weights)
        return rows_out.index_select(0, plan.queries_back).view(q.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of q, k, v and the prefix's; those of buckets are added up in their order."""
        plan: Plan = ctx.plan
        need_q, need_k, need_v, need_pk, need_pv = ctx.needs_input_grad[:5]
        rows_q, rows_k, rows_v, *weights = ctx.saved_tensors
        rows = _rows(grad).index_select(0, plan.queries)
        if len(plan.filled):
            rows.index_fill_(0, plan.filled, 0)
        dq = torch.empty_like(rows_q) if need_q else None
        dk = torch.empty_like(rows_k) if need_k or need_pk else None
        dv = torch.empty_like(rows_v) if need_v or need_pv else None
        for bucket, weight in zip(plan.buckets, weights, strict=True):
            own_grad = _batch(rows, bucket, bucket.queries)
            if dv is not None:
                torch.bmm(weight.mT, own_grad, out=_batch(dv, bucket, bucket.keys))
            if dq is None and dk is None:
                continue
            scores = torch.bmm(own_grad, _batch(rows_v, bucket, bucket.keys).mT)
            scores = torch._softmax_backward_data(scores, weight, -1, weight.dtype)
            if dq is not None:
                own_k = _batch(rows_k, bucket, bucket.keys)
                _product(scores, own_k, ctx.scale, _batch(dq, bucket, bucket.queries))
            if dk is not None:
                own_q = _batch(rows_q, bucket, bucket.queries)
                _product(scores.mT, own_q, ctx.scale, _batch(dk, bucket, bucket.keys))
        back_q = None if dq is None else dq.index_select(0, plan.queries_back).view(grad.shape)
        back_k, back_v = (
            rows.index_select(0, plan.keys_back).view(len(grad), ctx.groups, -1)
            if rows is not None and need
            else None
            for rows, need in ((dk, need_k), (dv, need_v))
        )
        back_pk, back_pv = (
            _of_prefix(rows, plan, ctx.groups, ctx.prefix) if rows is not None and need else None
            for rows, need in ((dk, need_pk), (dv, need_pv))
        )
        return back_q, back_k, back_v, back_pk, back_pv, None, None


def _rows(x: Tensor, prefix: Tensor | None = None) -> Tensor:
    """Packed tokens (n h e) as rows of one head (n · h, e), after those of the prefix."""
    whole = x if prefix is None else torch.cat([prefix, x])
    return whole.reshape(-1, x.shape[2])


def _batch(rows: Tensor, bucket: Bucket, where: slice) -> Tensor:
    """A bucket's rows as (batch, places, e), heads that share keys side by side."""
    return rows[where].view(bucket.batch, -1, rows.shape[1])


def _product(a: Tensor, b: Tensor, scale: float, out: Tensor | None = None) -> Tensor:
    """The batch of products scale · a b."""
    return torch.baddbmm(a.new_empty(()), a, b, beta=0, alpha=scale, out=out)


def _of_prefix(rows: Tensor, plan: Plan, groups: int, prefix: int) -> Tensor:
    """The sum over all sequences of the prefix's gradients (p g e)."""
    total = rows.new_zeros(groups, prefix, rows.shape[1])
    for bucket in plan.buckets:
        gradients = rows[bucket.keys].view(bucket.batch // groups, groups, -1, rows.shape[1])
        total += gradients[:, :, :prefix].sum(0)
    return total.transpose(0, 1)
