"""Floating-point operations in closed form: a multiplication and an addition are two.

    linear map        2 n i o           n rows, from i numbers to o
    attention         4 q k h e         q queries and k keys a text, h heads of e: scores, and sums

The whole square counts where a mask is causal: kernels differ in what they leave out.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..backbone.config import BackboneConfig


def forward_operations(cfg: BackboneConfig, lengths: Sequence[int], prefix: int = 0) -> int:
    """Those of a backbone's blocks for texts of these lengths.

    Args:
        cfg: The backbone's shape.
        lengths: Tokens of each text, inserted ones included.
        prefix: Keys that all tokens see before their own.
    """
    maps = sum(i * o for i, o in map(cfg.linear, cfg.sites))
    seen = sum(length * (prefix + length) for length in lengths)
    attention = 4 * seen * cfg.heads * cfg.head_size
    return cfg.layers * (2 * sum(lengths) * maps + attention)
