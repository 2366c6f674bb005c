"""Flash attention, backward to the keys and values of the prefix.

Every query sees every prefix key, whichever sequence it is of: to the prefix the whole batch is one
row of queries. It is cut into chunks; each chunk writes its own sums, in fp32, and the sums are
added in a fixed order outside. So the work follows the number of tokens, and nothing is atomic.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from .flash_keys import gather_queries
from .tiles import LOG2E, load_rows, offset, store_tile


@triton.jit
@no_type_check
def flash_prefix(
    q, k, v, grad, logsum, delta, dk, dv, tokens, prefix, group, chunk, scale,
    stride_qn, stride_qh, stride_kn, stride_kh, stride_gn, stride_gh,
    stride_dc, stride_dn, stride_dh,
    TILE_Q: tl.constexpr, TILE_K: tl.constexpr, HEAD: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """One chunk's share of the prefix gradients; grid (tiles of the prefix, key heads, chunks)."""
    first, key_head, part = tl.program_id(0) * TILE_K, tl.program_id(1), tl.program_id(2)
    base_k, base_v = k + offset(key_head, stride_kh), v + offset(key_head, stride_kh)
    tile_k = load_rows(base_k, first, prefix, stride_kn, TILE_K, HEAD, WIDE)
    tile_v = load_rows(base_v, first, prefix, stride_kn, TILE_K, HEAD, WIDE)
    key = first + tl.arange(0, TILE_K)
    low = part * chunk
    high = tl.minimum(low + chunk, tokens)
    scale_two = scale * LOG2E
    sum_k = tl.zeros([TILE_K, WIDE], tl.float32)
    sum_v = tl.zeros([TILE_K, WIDE], tl.float32)
    for head in range(key_head * group, key_head * group + group):
        at = offset(head, tokens)
        sum_k, sum_v = gather_queries(
            sum_k, sum_v, tile_k, tile_v, q + offset(head, stride_qh),
            grad + offset(head, stride_gh), logsum + at, delta + at, stride_qn, stride_gn,
            low, low, high, key, prefix, 0, 0, scale_two, TILE_Q, HEAD, WIDE, False, False,
        )  # fmt: skip
    place = offset(part, stride_dc) + offset(key_head, stride_dh)
    store_tile(dk + place, sum_k * scale, first, prefix, stride_dn, TILE_K, HEAD, WIDE)
    store_tile(dv + place, sum_v, first, prefix, stride_dn, TILE_K, HEAD, WIDE)
