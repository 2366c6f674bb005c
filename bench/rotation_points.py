"""Timing the rotation: bytes a second, beside a copy of the same bytes in the same run."""

from __future__ import annotations

from typing import Any

import torch
from gpu_timing import quantiles, ratio
from tunebench import kernels

SIZES = ((32768, 32, 8, 64), (32768, 32, 8, 128), (65536, 16, 16, 64))
"""Tokens, heads, key heads, head size: each several times a GPU's cache."""


def rotation_rows(device: torch.device) -> list[dict[str, Any]]:
    """One row per size: least bytes, and the times of ours, of plain PyTorch and of a copy."""
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
        inputs = (q, k, cos, sin, places)
        calls = {
            "ours": lambda inputs=inputs: kernels.rotate(*inputs, implementation="triton"),
            "plain": lambda inputs=inputs: kernels.rotate(*inputs, implementation="reference"),
            "copy": lambda source=source, target=target: target.copy_(source),
        }
        times = {name: quantiles(call) for name, call in calls.items()}
        rows.append({"size": [tokens, heads, groups, head], "bytes": moved, "times": times})
    return rows


def rotation_table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown: our bytes a second, and how many times as long the others take."""
    lines = ["| tokens, heads, key heads, head size | ours GB/s | copy / ours | plain / ours |"]
    lines.append("|---|---|---|---|")
    for row in rows:
        times, size = row["times"], ", ".join(f"{n:,}" for n in row["size"])
        speed = f"{row['bytes'] / times['ours'][0] / 1e6:,.0f}"
        cells = " | ".join(ratio(times["ours"], times[name]) for name in ("copy", "plain"))
        lines.append(f"| {size} | {speed} | {cells} |")
    return "\n".join(lines) + "\n"


def check_rotation(device: torch.device) -> None:
    """Our error in bf16 is one rounding of the result: at most 2^-8 of its size.

    Raises:
        SystemExit: Where it is more; then nothing may be timed.
    """
    q, k = (torch.randn(300, h, 64, device=device, dtype=torch.bfloat16) for h in (4, 2))
    angle = torch.rand(300, 32, device=device)
    places = torch.arange(300, device=device)
    rotated = kernels.rotate(q, k, angle.cos(), angle.sin(), places, implementation="triton")
    exact_inputs = (q.double(), k.double(), angle.cos().double(), angle.sin().double(), places)
    truth = kernels.rotate(*exact_inputs, implementation="reference")
    for a, b in zip(rotated, truth, strict=True):
        worst = float(((a.double() - b).abs() - 2**-8 * b.abs()).max())
        if worst > 1e-5:
            raise SystemExit(f"rotation: error {worst:.2e} beyond a rounding; nothing timed")
