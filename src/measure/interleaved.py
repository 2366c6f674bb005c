"""Two passes timed in turn in one process, until their ratio is known well enough or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from .ratio import FEWEST, LEAST, Round, Timing, interval, next_look, timing

Run = Callable[[], object]
Clock = Callable[[], float]


def time_in_turn(
    ours: Run,
    base: Run,
    *,
    half_width: float,
    seconds: float,
    device: torch.device,
    clock: Clock = time.perf_counter,
) -> Timing:
    """What `rounds_in_turn` says of the two."""
    return timing(
        rounds_in_turn(
            ours, base, half_width=half_width, seconds=seconds, device=device, clock=clock
        )
    )


def rounds_in_turn(
    ours: Run,
    base: Run,
    *,
    half_width: float,
    seconds: float,
    device: torch.device,
    fewest: int = FEWEST,
    clock: Clock = time.perf_counter,
) -> list[Round]:
    """Time both until the ratio's interval is at most ± `half_width`, or `seconds` have passed.

    Each runs once before, unmeasured.

    Args:
        ours: Runs the one model once.
        base: Runs the other once.
        half_width: Half of the interval, relative to the ratio: 0.02 is ± 2 %.
        seconds: The time to spend at most.
        device: Synchronised around each pass where it is a GPU.
        fewest: Rounds of four passes that there are whatever the time; at least two.
        clock: Seconds since whenever.
    """
    rounds: list[Round] = []
    look = LEAST
    with torch.inference_mode():
        ours()
        base()
        end = clock() + seconds
        while len(rounds) < fewest or clock() < end:
            rounds.append(_round(ours, base, device, clock))
            if len(rounds) == look:
                if interval([each.log_ratio for each in rounds]).half_width <= half_width:
                    break
                look = next_look(len(rounds))
    return rounds


def _round(ours: Run, base: Run, device: torch.device, clock: Clock) -> Round:
    """Ours, base, base, ours."""
    order = (ours, base, base, ours)
    return Round(*(pass_seconds(run, device, clock) for run in order))


def pass_seconds(run: Run, device: torch.device, clock: Clock = time.perf_counter) -> float:
    """Seconds of one pass."""
    _synchronise(device)
    begin = clock()
    run()
    _synchronise(device)
    return clock() - begin


def _synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
