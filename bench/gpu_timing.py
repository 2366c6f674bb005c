"""How a call is timed on a GPU, when a timing may be divided, and what it was taken on."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SPREAD_LIMIT = 0.05
"""Share of the median between the 20th and 80th percentile above which a timing is restless."""
LAUNCH_BOUND_MS = 0.1
"""Below this the launch itself counts, so a CUDA graph is timed beside it."""
ASKED = "driver_version,power.limit,clocks.sm,clocks.max.sm,clocks.mem"


def quantiles(run: Callable[[], Any]) -> list[float]:
    """Median, 20th and 80th percentile in ms; the cache is flushed between runs."""
    from triton.testing import do_bench

    return list(do_bench(run, warmup=100, rep=500, quantiles=[0.5, 0.2, 0.8]))


def timed(call: Callable[[], Tensor], leaves: tuple[Tensor, ...]) -> dict[str, Any]:
    """Forward, backward, both, each with its quantiles in ms; peak memory of both in MiB."""
    from triton.testing import do_bench_cudagraph

    out = call()
    grad = torch.randn_like(out)

    def backward() -> None:
        torch.autograd.grad(out, leaves, grad, retain_graph=True, allow_unused=True)

    def both() -> None:
        torch.autograd.grad(call(), leaves, grad, allow_unused=True)

    with torch.no_grad():
        times: dict[str, Any] = {"forward": quantiles(call)}
        if times["forward"][0] < LAUNCH_BOUND_MS:
            times["forward in a graph"] = do_bench_cudagraph(call)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    both()
    peak = (torch.cuda.max_memory_allocated() - before) / 2**20
    return {**times, "backward": quantiles(backward), "both": quantiles(both), "peak MiB": peak}


def steady(timing: list[float]) -> bool:
    """Whether a timing is calm enough to be divided by another."""
    median, low, high = timing
    return (high - low) / median <= SPREAD_LIMIT


def ratio(mine: list[float] | None, other: list[float] | None) -> str:
    """Time of a rival over ours, or a dash where either is missing, or that one is restless."""
    if mine is None or other is None:
        return "–"
    return f"{other[0] / mine[0]:.2f}" if steady(mine) and steady(other) else "restless"


def machine() -> dict[str, str]:
    """What the numbers were taken on: device, driver, clocks, power limit and versions."""
    import triton

    properties = torch.cuda.get_device_properties(0)
    facts = {
        "device": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": str(torch.version.cuda or torch.version.hip),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "python": platform.python_version(),
    }
    if shutil.which("nvidia-smi"):
        answer = subprocess.run(
            ["nvidia-smi", "-i", "0", f"--query-gpu={ASKED}", "--format=csv,noheader"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        facts |= dict(zip(ASKED.split(","), answer.stdout.strip().split(", "), strict=False))
    return facts
