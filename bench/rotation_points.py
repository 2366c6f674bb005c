"""Timing the rotation: bytes a second, beside a copy of the same bytes in the same run."""

from __future__ import annotations

from typing import Any

import torch
from tunebench import kernels

SIZES = ((16384, 32, 8, 64), (16384, 32, 8, 128), (65536, 16, 16, 64))
"""Tokens, heads, key heads, head size: each far larger than a GPU's cache."""


def rotation_rows(device: torch.device) -> list[dict[str, Any]]:
    """One row per size: least bytes, and GB/s of ours, of plain PyTorch and of a copy."""
    from triton.testing import do_bench

    rows = []
    for tokens, heads, groups, head in SIZES:
        q, k = (
            torch.randn(tokens, h, head, device=device, dtype=torch.bfloat16)
            for h in (heads, groups)
        )
        angle = torch.rand(tokens, head // 2, device=device)
        cos, sin, places = angle.cos(), angle.sin(), torch.arange(tokens, device=device)
        moved = 2 * (q.nbytes + k.nbytes) + cos.nbytes + sin.nbytes + places.nbytes
        source = torch.empty(moved // 2, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        given = (q, k, cos, sin, places)
        calls = {
            "ours": lambda given=given: kernels.rotate(*given, implementation="triton"),
            "plain": lambda given=given: kernels.rotate(*given, implementation="reference"),
            "copy": lambda source=source, target=target: target.copy_(source),
        }
        times = {name: do_bench(call, warmup=100, rep=500) for name, call in calls.items()}
        speed = {name: moved / ms / 1e6 for name, ms in times.items()}
        rows.append({"size": [tokens, heads, groups, head], "bytes": moved, "gb_per_s": speed})
    return rows
