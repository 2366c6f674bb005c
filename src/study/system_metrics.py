"""Processor and memory of the process that trains, sampled while it does, where that is asked for.

MLflow's own monitor writes each sample to a run from a thread of its own, for the whole machine. A
process that trains here has no run and is one of several: it samples itself, and its record has the
samples, which MLflow shows on the page *System metrics* of the run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import torch

from ..measure.memory import MIB
from ..records import SystemSamples

STATM = Path("/proc/self/statm")
"""Where Linux says how much memory a process has: in pages, the resident set second."""


@contextmanager
def sampled(every: float, device: torch.device) -> Iterator[Callable[[], SystemSamples]]:
    """Sample this process until the block ends.

    Args:
        every: Seconds between two samples; 0 takes none.
        device: Where it trains; of a GPU the allocated memory is sampled.

    Yields:
        A function that gives what was sampled so far.
    """
    rows: list[tuple[float, float, float, float]] = []
    over = Event()

    def sample() -> None:
        begin = last = time.monotonic()
        worked = time.process_time()
        while not over.wait(every):
            now, used = time.monotonic(), time.process_time()
            share = 100 * (used - worked) / (now - last)
            rows.append((now - begin, share, resident(), allocated(device)))
            last, worked = now, used

    thread = Thread(target=sample, name="tunebench-system-metrics", daemon=True)
    if every:
        thread.start()
    try:
        yield lambda: SystemSamples(*map(tuple, zip(*tuple(rows), strict=True)))
    finally:
        over.set()
        if every:
            thread.join()


def resident() -> float:
    """MiB of memory that this process has now; 0 where the system does not say."""
    try:
        pages = int(STATM.read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def allocated(device: torch.device) -> float:
    """MiB that torch has allocated on a GPU; 0 on a processor."""
    return torch.cuda.memory_allocated(device) / MIB if device.type == "cuda" else 0.0
