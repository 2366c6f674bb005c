"""Attention and rotation in plain PyTorch: the specification, and the oracle of every test.

    o_i = sum_j softmax_j(scale · q_i · k_j) v_j        over the keys that query i may see

Sequences lie packed, one after the other: `q` is (n h e), `cu_seqlens_q` holds the b + 1 places
where sequences begin and end. A query sees every prefix key, and of its own sequence's m keys,
where it stands at place p = i + m - (its queries) (so queries are aligned with the last keys):
all of them; those with j <= p where `causal`; and only those with |p - j| <= window where given.
A query that sees no key gives zero. Prefix keys are (p h e), shared by all sequences.

Source: Vaswani et al. 2017, arXiv:1706.03762, eq. 1; grouped heads: Ainslie et al. 2023,
arXiv:2305.13245; rotation: Su et al. 2021, arXiv:2104.09864, eq. 34.
"""

from __future__ import annotations

import torch
from torch import Tensor


def visible(
    queries: int,
    keys: int,
    causal: bool,
    window: int | None,
    device: torch.device,
    shift: int | Tensor | None = None,
) -> Tensor:
    """Which of a sequence's keys each of its queries sees, as (queries keys) booleans.

    Query i stands at place i + shift: keys - queries where no shift is given. Shifts of a padded
    batch (b 1 1) give (b queries keys).
    """
    shift = keys - queries if shift is None else shift
    place = torch.arange(queries, device=device)[:, None] + shift
    distance = torch.arange(keys, device=device)[None, :] - place
    seen = distance <= 0 if causal else torch.ones_like(distance, dtype=torch.bool)
    return seen if window is None else seen & (distance.abs() <= window)


def after_prefix(prefix: Tensor | None, x: Tensor) -> Tensor:
    """Keys or values of sequences (b g s e) after those of the prefix (p g e), if there is one."""
    if prefix is None:
        return x
    return torch.cat([prefix.transpose(0, 1).expand(len(x), -1, -1, -1), x], 2)


def attend_one(q: Tensor, k: Tensor, v: Tensor, seen: Tensor, scale: float) -> Tensor:
    """One sequence: q (i h e), k and v (j g e) with g a divisor of h, seen (i j); gives (i h e)."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = torch.einsum("ihe,jhe->hij", q, k) * scale
    weights = torch.softmax(scores.masked_fill(~seen, float("-inf")), -1)
    return torch.einsum("hij,jhe->ihe", weights.nan_to_num(0.0), v)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    causal: bool,
    window: int | None = None,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
    max_seqlen_q: int | None = None,
    max_seqlen_k: int | None = None,
) -> Tensor:
    """Attention over packed sequences, one at a time: q (n h e), k and v (m g e); gives (n h e).

    The longest lengths are taken as the other implementations take them, and are not needed here.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    starts_q, starts_k = cu_seqlens_q.tolist(), cu_seqlens_k.tolist()
    outputs = []
    for row in range(len(starts_q) - 1):
        own_q = q[starts_q[row] : starts_q[row + 1]]
        own_k = k[starts_k[row] : starts_k[row + 1]]
        own_v = v[starts_k[row] : starts_k[row + 1]]
        seen = visible(len(own_q), len(own_k), causal, window, q.device)
        if prefix_k is not None and prefix_v is not None:
            own_k, own_v = torch.cat([prefix_k, own_k]), torch.cat([prefix_v, own_v])
            seen = torch.cat([seen.new_ones(len(own_q), len(prefix_k)), seen], 1)
        outputs.append(attend_one(own_q, own_k, own_v, seen, scale))
    return torch.cat(outputs) if outputs else torch.empty_like(q)


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """Rotate the first 2r numbers of each head: x (n h e), cos and sin (n r); fp32 or more."""
    half = cos.shape[-1]
    exact = torch.promote_types(x.dtype, torch.float32)
    cos, sin = cos[:, None, :].to(exact), sin[:, None, :].to(exact)
    moving, resting = x[..., : 2 * half].to(exact), x[..., 2 * half :]
    if interleaved:
        first, second = moving[..., 0::2], moving[..., 1::2]
    else:
        first, second = moving[..., :half], moving[..., half:]
    rotated = (first * cos - second * sin, second * cos + first * sin)
    joined = torch.stack(rotated, -1).flatten(-2) if interleaved else torch.cat(rotated, -1)
    return torch.cat([joined.to(x.dtype), resting], -1)


def rotate(
    q: Tensor, k: Tensor, cos: Tensor, sin: Tensor, positions: Tensor, *, interleaved: bool = False
) -> tuple[Tensor, Tensor]:
    """Rotary embedding of q (n h e) and k (n g e) by tables (positions r) at `positions` (n)."""
    cos, sin = cos[positions], sin[positions]
    return apply_rotary(q, cos, sin, interleaved), apply_rotary(k, cos, sin, interleaved)


def decode(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    lengths: Tensor,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """One query a sequence (b h e) over the first `lengths` (b) keys of caches (b c g e)."""
    filled = lengths.tolist()
    cu_seqlens_k = torch.tensor([0, *filled], device=q.device).cumsum(0)
    own_k = torch.cat([cache[:length] for cache, length in zip(k, filled, strict=True)])
    own_v = torch.cat([cache[:length] for cache, length in zip(v, filled, strict=True)])
    cu_seqlens_q = torch.arange(len(q) + 1, device=q.device)
    return attention(
        q, own_k, own_v, cu_seqlens_q=cu_seqlens_q, cu_seqlens_k=cu_seqlens_k, causal=False,
        prefix_k=prefix_k, prefix_v=prefix_v, scale=scale,
    )  # fmt: skip


def counted(tokens: int, cu_seqlens: Tensor | None) -> Tensor:
    """The place of each of the packed tokens in its own sequence (n).

    Raises:
        ValueError: Where there is no `cu_seqlens` to count by.
    """
    if cu_seqlens is None:
        raise ValueError(
            "exactly one of `positions` and `cu_seqlens` must be given, but got neither"
        )
    token = torch.arange(tokens, device=cu_seqlens.device)
    return token - cu_seqlens[torch.searchsorted(cu_seqlens[1:].contiguous(), token, right=True)]
