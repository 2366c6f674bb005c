"""Decode attention as a torch operator, forward only: one new token against a cache of keys."""

from __future__ import annotations

from typing import Any, no_type_check

import torch
from torch import Tensor

from .placement import on_device, require_device, usable, usable_pair, usable_prefix


@torch.library.custom_op("tunebench::flash_decode", mutates_args=())
@no_type_check
def flash_decode(
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
    """Outputs (b h e) of queries (b h e), each over `lengths` keys (m g e) from row `starts` on.

    `max_seqlen` bounds the lengths: the spans are cut by it, without a look at the lengths.
    """
    require_device(q=q)
    from .flash_decode import launch_decode

    k, v = usable_pair(k, v)
    before_k, before_v = usable_prefix(prefix_k, prefix_v)
    with on_device(q):
        return launch_decode(
            usable(q), k, v, starts, lengths, max_seqlen, before_k, before_v, scale
        )


@flash_decode.register_fake
def _(q: Tensor, *_others: Any) -> Tensor:
    return torch.empty_like(q, memory_format=torch.contiguous_format)
