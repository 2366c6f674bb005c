"""What a call must keep to; each refusal names the argument, what must hold, and the values."""

from __future__ import annotations

import torch
from torch import Tensor

HEAD_LIMIT = 128
TYPES = (torch.float32, torch.float16, torch.bfloat16)


def require(holds: bool, condition: str, **values: object) -> None:
    """Refuse a call where it does not hold: what must hold, then the values.

    Raises:
        ValueError: Where it does not hold.
    """
    if not holds:
        shown = ", ".join(f"{name}={value}" for name, value in values.items())
        raise ValueError(f"{condition}, but got ({shown})")


def _shape(x: Tensor) -> tuple[int, ...]:
    return tuple(x.shape)


def check_head(head: int) -> None:
    """Head sizes are multiples of 8 up to 128."""
    require(
        head % 8 == 0 and 0 < head <= HEAD_LIMIT,
        f"`head size % 8 == 0 and 0 < head size <= {HEAD_LIMIT}` must hold for attention=triton",
        head_size=head,
    )


def check_scale(scale: float) -> None:
    """The kernels take the largest score before it is scaled: the scale must keep their order."""
    require(scale > 0, "`scale > 0` must hold for attention=triton", scale=scale)


def check_lengths(name: str, cu_seqlens: Tensor, x: Tensor) -> None:
    """Cumulative lengths are b + 1 int32 numbers beside the tensor that they divide."""
    require(
        cu_seqlens.dim() == 1 and len(cu_seqlens) >= 1 and cu_seqlens.dtype == torch.int32,
        f"`{name}` must hold b + 1 int32 numbers",
        shape=_shape(cu_seqlens),
        dtype=cu_seqlens.dtype,
    )
    require(
        cu_seqlens.device == x.device and cu_seqlens.stride(0) == 1,
        f"`{name}` must lie contiguous on the device of the queries",
        device=cu_seqlens.device,
        queries=x.device,
    )


def check_heads(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Queries (… h e), keys and values (… g e) with g a divisor of h."""
    require(k.shape == v.shape, "`k.shape == v.shape` must hold", k=_shape(k), v=_shape(v))
    require(
        q.shape[-1] == k.shape[-1],
        "`q.shape[-1] == k.shape[-1]` must hold (one head size)",
        q=_shape(q),
        k=_shape(k),
    )
    heads, groups = q.shape[-2], k.shape[-2]
    require(
        groups > 0 and heads % groups == 0,
        "`heads of q % heads of k == 0` must hold",
        q=_shape(q),
        k=_shape(k),
    )


def check_types(**tensors: Tensor) -> None:
    """One number type and one device for all of them."""
    named = list(tensors.items())
    first = named[0][1]
    for name, x in named:
        require(
            x.dtype == first.dtype and x.dtype in TYPES,
            f"`{name}` must be of one type with {named[0][0]}: float32, float16 or bfloat16",
            **{key: other.dtype for key, other in named},
        )
        require(
            x.device == first.device,
            f"`{name}` must lie on the device of {named[0][0]}",
            **{key: other.device for key, other in named},
        )


def check_prefix(k: Tensor, prefix_k: Tensor | None, prefix_v: Tensor | None) -> None:
    """Prefix keys and values come together, as (p g e) with the keys' own heads and width."""
    require(
        (prefix_k is None) == (prefix_v is None),
        "`prefix_k` and `prefix_v` must be given together",
        prefix_k=None if prefix_k is None else _shape(prefix_k),
        prefix_v=None if prefix_v is None else _shape(prefix_v),
    )
    for name, x in (("prefix_k", prefix_k), ("prefix_v", prefix_v)):
        if x is not None and prefix_k is not None:
            require(
                x.dim() == 3 and x.shape[1:] == k.shape[-2:] and len(x) == len(prefix_k),
                f"`{name}` must be (p g e) with the heads and head size of k",
                **{name: _shape(x), "prefix_k": _shape(prefix_k), "k": _shape(k)},
            )


def check_attention(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor, window: int | None
) -> None:
    """The laws of packed attention in Triton, apart from those of heads and prefix.

    Raises:
        ValueError: Where one of them is broken.
    """
    for name, x in (("q", q), ("k", k), ("v", v)):
        require(x.dim() == 3, f"`{name}` must be packed (tokens heads head_size)", shape=_shape(x))
    check_head(q.shape[-1])
    check_types(q=q, k=k, v=v)
    check_lengths("cu_seqlens_q", cu_seqlens_q, q)
    check_lengths("cu_seqlens_k", cu_seqlens_k, q)
    require(
        len(cu_seqlens_q) == len(cu_seqlens_k),
        "`len(cu_seqlens_q) == len(cu_seqlens_k)` must hold",
        cu_seqlens_q=len(cu_seqlens_q),
        cu_seqlens_k=len(cu_seqlens_k),
    )
    require(window is None or window >= 0, "`window >= 0` must hold", window=window)


def check_rotation(
    q: Tensor,
    k: Tensor,
    cos: Tensor,
    sin: Tensor,
    positions: Tensor | None,
    cu_seqlens: Tensor | None,
) -> None:
    """The laws of the rotation.

    Raises:
        ValueError: Where one of them is broken.
    """
    for name, x in (("q", q), ("k", k)):
        require(x.dim() == 3, f"`{name}` must be packed (tokens heads head_size)", shape=_shape(x))
    require(
        q.shape[0] == k.shape[0] and q.shape[2] == k.shape[2],
        "`q` and `k` must have the same tokens and head size",
        q=_shape(q),
        k=_shape(k),
    )
    check_types(q=q, k=k)
    for name, table in (("cos", cos), ("sin", sin)):
        require(
            table.dtype == torch.float32,
            f"`{name}` must be float32: half-precision angles move tokens",
            dtype=table.dtype,
        )
        require(
            table.dim() == 2 and table.shape == cos.shape and 0 < 2 * table.shape[1] <= q.shape[2],
            f"`{name}` must be (positions r) with 2 r <= head size",
            **{name: _shape(table), "q": _shape(q)},
        )
    require(
        (positions is None) != (cu_seqlens is None),
        "exactly one of `positions` and `cu_seqlens` must be given",
        positions=None if positions is None else _shape(positions),
        cu_seqlens=None if cu_seqlens is None else _shape(cu_seqlens),
    )
    if positions is not None:
        require(
            positions.shape == q.shape[:1] and positions.dtype in (torch.int32, torch.int64),
            "`positions` must hold one int32 or int64 number per token",
            positions=_shape(positions),
            dtype=positions.dtype,
            q=_shape(q),
        )
    if cu_seqlens is not None:
        check_lengths("cu_seqlens", cu_seqlens, q)


def check_decode(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor) -> None:
    """The laws of decoding against a cache, apart from those of the prefix.

    Raises:
        ValueError: Where one of them is broken.
    """
    require(
        q.dim() == 3 and k.dim() == 4 and k.shape[0] == q.shape[0],
        "`q` must be (b h e) and `k` (b capacity g e)",
        q=_shape(q),
        k=_shape(k),
    )
    check_heads(q, k, v)
    check_head(q.shape[-1])
    check_types(q=q, k=k, v=v)
    require(
        lengths.shape == q.shape[:1] and lengths.dtype == torch.int32,
        "`lengths` must hold b int32 numbers",
        shape=_shape(lengths),
        dtype=lengths.dtype,
    )
