"""Peak memory of a stretch of work: resident set on a CPU, allocated bytes on a GPU."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

MIB = 2**20
MMAP_THRESHOLD = -3
"""glibc's number for the size from which on memory is mapped."""
MEMINFO = Path("/proc/meminfo")
NO_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""What PyTorch's CPU allocator and CUDA's libraries say: there is no exception of its own."""


@dataclass
class Peak:
    """Filled when the stretch ends; none where this system cannot tell."""

    mib: float | None = None
    so_far: Callable[[], float | None] = lambda: None
    """The highest memory of the stretch until now."""


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the highest memory between entering and leaving, in MiB.

    Linux keeps a high-water mark of the resident set that can be reset; where it cannot (macOS,
    some containers) the mark would speak of everything before, so nothing is reported.
    """
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        peak.so_far = lambda: torch.cuda.max_memory_allocated(device) / MIB
    else:
        _give_back()
        if _reset():
            peak.so_far = _high_water
    yield peak
    peak.mib = peak.so_far()


@contextmanager
def mapped_apart() -> Iterator[None]:
    """Where glibc allocates: each large tensor by itself, given back the moment it is freed.

    Else the process keeps what was freed between others, a fifth or more, and its peak is not
    that of what is held.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        yield
        return
    mallopt(MMAP_THRESHOLD, 2**16)
    try:
        yield
    finally:
        mallopt(MMAP_THRESHOLD, 2**25)


def _give_back() -> None:
    """Memory that earlier work freed, and that C's allocator keeps, is not this stretch's."""
    gc.collect()
    # glibc's; other C libraries have none.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _high_water() -> float | None:
    """VmHWM in MiB, which the kernel writes in KiB; none where it does not say."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    line = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(line[1]) / 1024 if line else None


def out_of_memory(error: BaseException) -> bool:
    """Whether this is what PyTorch or Python raise where memory is too small."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in NO_MEMORY)


def available(device: torch.device) -> float | None:
    """MiB that can be had now without swapping; none where this system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / MIB
    with contextlib.suppress(OSError):
        # Linux's own estimate, which counts what of its caches can go.
        line = re.search(r"^MemAvailable:\s+(\d+) kB$", MEMINFO.read_text(), re.MULTILINE)
        return int(line[1]) / 1024 if line else None
    return None
