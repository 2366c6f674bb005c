"""The two kernels that the backbone stands on: attention and rotation, over packed sequences.

The implementation follows the tensors' device: CUDA takes Triton, a CPU torch's own SDPA. A setting
overrides it: `triton`, `sdpa` or `reference` (plain PyTorch, the specification). Importing this
package needs neither a GPU nor triton.
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import reference, sdpa, triton_path
from .checks import check_heads, check_prefix
from .choice import Implementation, check_implementation, chosen_for

__all__ = [
    "Implementation",
    "attention",
    "attention_dense",
    "check_implementation",
    "decode",
    "rotate",
]


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
    implementation: Implementation = "auto",
) -> Tensor:
    """Softmax attention over packed sequences; prefix keys are seen by all queries.

    Args:
        q: Queries (n h e), all sequences one after the other.
        k: Keys (m g e), g a divisor of h.
        v: Values (m g e).
        cu_seqlens_q: Where each sequence's queries begin and end, b + 1 int32 numbers.
        cu_seqlens_k: The same for its keys; pass the same tensor where both are equal.
        causal: A query sees no later key, the last query being aligned with the last key.
        window: Keys further away than this are not seen; none means no limit.
        prefix_k: Keys (p g e) that every query of every sequence sees, whatever the mask.
        prefix_v: Their values (p g e).
        scale: Factor of the scores, 1/sqrt(e) by default.
        max_seqlen_q: Queries of the longest sequence, where known: the device need not be asked.
        max_seqlen_k: The max_seqlen sequence's keys, where known.
        implementation: Which code runs; `auto` goes by the device.

    Returns:
        One output (n h e) for each query; zero where a query sees no key.

    Raises:
        ValueError: Where shapes, types or devices do not fit; the text names the argument.
    """
    check_heads(q, k, v)
    check_prefix(k, prefix_k, prefix_v)
    paths = {
        "triton": triton_path.attention, "sdpa": sdpa.attention, "reference": reference.attention
    }  # fmt: skip
    return paths[chosen_for(implementation, q)](
        q,
        k,
        v,
        cu_seqlens_q=cu_seqlens_q,
        cu_seqlens_k=cu_seqlens_k,
        causal=causal,
        window=window,
        prefix_k=prefix_k,
        prefix_v=prefix_v,
        scale=scale,
        max_seqlen_q=max_seqlen_q,
        max_seqlen_k=max_seqlen_k,
    )


def attention_dense(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    causal: bool,
    window: int | None = None,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
    implementation: Implementation = "auto",
) -> Tensor:
    """Attention of equally long sequences: q (b t h e), k and v (b s g e); gives (b t h e)."""
    rows, queries, keys = q.shape[0], q.shape[1], k.shape[1]
    count = torch.arange(rows + 1, dtype=torch.int32, device=q.device)
    cu_seqlens_q = count * queries
    out = attention(
        q.flatten(0, 1),
        k.flatten(0, 1),
        v.flatten(0, 1),
        cu_seqlens_q=cu_seqlens_q,
        cu_seqlens_k=cu_seqlens_q if keys == queries else count * keys,
        causal=causal,
        window=window,
        prefix_k=prefix_k,
        prefix_v=prefix_v,
        scale=scale,
        max_seqlen_q=queries,
        max_seqlen_k=keys,
        implementation=implementation,
    )
    return out.reshape(rows, queries, *out.shape[1:])


def decode(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    lengths: Tensor,
    prefix_k: Tensor | None = None,
    prefix_v: Tensor | None = None,
    scale: float | None = None,
    implementation: Implementation = "auto",
) -> Tensor:
    """Attention of one new token per sequence over a cache; forward only in Triton.

    Args:
        q: One query per sequence (b h e).
        k: Cached keys (b capacity g e), the newest token's included; those beyond are finite.
        v: Cached values (b capacity g e).
        lengths: How many keys of each row are filled, b int32 numbers.
        prefix_k: Keys (p g e) that every query sees before its own.
        prefix_v: Their values (p g e).
        scale: Factor of the scores, 1/sqrt(e) by default.
        implementation: Which code runs; `auto` goes by the device.

    Returns:
        One output (b h e) for each query; zero where a row is empty and has no prefix.
    """
    paths = {"triton": triton_path.decode, "sdpa": sdpa.decode, "reference": reference.decode}
    run = paths[chosen_for(implementation, q)]
    return run(q, k, v, lengths=lengths, prefix_k=prefix_k, prefix_v=prefix_v, scale=scale)


def rotate(
    q: Tensor,
    k: Tensor,
    cos: Tensor,
    sin: Tensor,
    positions: Tensor | None = None,
    *,
    interleaved: bool = False,
    cu_seqlens: Tensor | None = None,
    implementation: Implementation = "auto",
) -> tuple[Tensor, Tensor]:
    """Rotary position embedding of queries and keys, out of place.

    Args:
        q: Queries (n h e).
        k: Keys (n g e).
        cos: Cosines (positions r) in fp32; the first 2r numbers of each head turn, the rest stay.
        sin: Sines (positions r) in fp32.
        positions: Each token's place in the tables, n integers; or give `cu_seqlens`.
        interleaved: Pairs are neighbours (0, 1), (2, 3) …, not halves (0, r), (1, r + 1) ….
        cu_seqlens: Where sequences begin and end (b + 1, int32): each counts from 0.
        implementation: Which code runs; `auto` goes by the device.

    Returns:
        The rotated queries (n h e) and keys (n g e).
    """
    if chosen_for(implementation, q) == "triton":
        return triton_path.rotate(
            q, k, cos, sin, positions, interleaved=interleaved, cu_seqlens=cu_seqlens
        )
    if positions is None:
        positions = reference.counted(len(q), cu_seqlens)
    return reference.rotate(q, k, cos, sin, positions, interleaved=interleaved)
