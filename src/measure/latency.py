"""How long one forward pass takes, and how that compares to the base model.

Both run in turn in the same process (A B A B …), after a warm-up, so that a machine that slows down
slows both. The figure to trust is the ratio.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from ..records import Latency
from .interleaved import pass_seconds

WARM_UP = 1
LEAST, MOST = 5, 60
"""Repeats of each side."""


def latency(
    tuned: Callable[[], object],
    base_model: Callable[[], object],
    *,
    batch: int,
    tokens: int,
    device: torch.device,
    seconds: float = 0.4,
) -> Latency:
    """Time a forward pass of each side until `seconds` have passed, at least five times each.

    Args:
        tuned: Runs the folded model once.
        base_model: Runs the base model with the same head once.
        batch: Texts in the pass; recorded.
        tokens: Text tokens of each; recorded.
        device: Synchronised around each pass where it is a GPU.
        seconds: The time to spend.
    """
    with torch.inference_mode():
        for _ in range(WARM_UP):
            tuned()
            base_model()
        tuned_ms: list[float] = []
        base_ms: list[float] = []
        end = time.perf_counter() + seconds
        while len(tuned_ms) < LEAST or (time.perf_counter() < end and len(tuned_ms) < MOST):
            tuned_ms.append(1000 * pass_seconds(tuned, device, time.perf_counter))
            base_ms.append(1000 * pass_seconds(base_model, device, time.perf_counter))
    ratios = [a / b for a, b in zip(tuned_ms, base_ms, strict=True)]
    return Latency(
        batch=batch,
        tokens=tokens,
        median_ms=statistics.median(tuned_ms),
        p95_ms=statistics.quantiles(tuned_ms, n=20, method="inclusive")[-1],
        ratio=statistics.median(ratios),
        repeats=len(tuned_ms),
    )
