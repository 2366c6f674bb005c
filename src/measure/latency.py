"""How long one forward pass of a served model takes, beside the base model's: a cell's record."""

from __future__ import annotations

import statistics
import time

import torch

from ..records import Latency
from .interleaved import Clock, Run, rounds_in_turn
from .ratio import timing

HALF_WIDTH = 0.02
"""An interval of the ratio as narrow as ± 2 % ends the measurement."""
FEWEST = 3
"""Rounds of four passes that even slow passes get. Every cell is timed, so that more would take a
comparison longer than they are worth; `tunebench latency` has the time for narrow intervals."""


def latency(
    tuned: Run,
    base_model: Run,
    *,
    batch: int,
    tokens: int,
    device: torch.device,
    seconds: float = 0.4,
    clock: Clock = time.perf_counter,
) -> Latency:
    """Time a forward pass of both sides in turn.

    Args:
        tuned: Runs the folded model once.
        base_model: Runs the base model with the same head once.
        batch: Texts in the pass; recorded.
        tokens: Text tokens of each; recorded.
        device: Synchronised around each pass where it is a GPU.
        seconds: The time to spend; slow passes take longer, since there are `FEWEST` rounds.
        clock: Seconds since whenever.
    """
    rounds = rounds_in_turn(
        tuned,
        base_model,
        half_width=HALF_WIDTH,
        seconds=seconds,
        device=device,
        fewest=FEWEST,
        clock=clock,
    )
    known, ours = timing(rounds), [each for one in rounds for each in one.mine]
    ratio = known.ratio
    return Latency(
        batch=batch,
        tokens=tokens,
        median_ms=1000 * statistics.median(ours),
        p95_ms=known.p95_ms,
        ratio=None if ratio is None else ratio.value,
        repeats=len(ours),
        ratio_low=None if ratio is None else ratio.low,
        ratio_high=None if ratio is None else ratio.high,
    )
