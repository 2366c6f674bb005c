"""Launch configurations: which tile, how many warps and stages, per architecture and head size.

Only what stands in TABLE is launched on a GPU, and `make kernels-aot` compiles each of its rows and
refuses one that spills a register, so no configuration ships that no compiler has seen. Rows are
keyed by architecture, kernel, head size rounded up to a power of two, and bits of a number; tiles
are queries × keys. The rows of sm_80 stay below 99 KB of shared memory and so serve sm_86, sm_89
and everything newer that has no rows of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .checks import require


@dataclass(frozen=True)
class Launch:
    """One configuration: rows of queries (or tokens), columns of keys (or heads), and threads."""

    rows: int
    columns: int
    warps: int
    stages: int

    @property
    def options(self) -> dict[str, int]:
        """Threads and stages, by the names that Triton's launches and compiler take."""
        return {"num_warps": self.warps, "num_stages": self.stages}


Key = tuple[str, str, int, int]

ARCHITECTURES = ("sm_80", "sm_90", "gfx942")
KERNELS = ("forward", "keys", "queries", "prefix", "decode", "delta", "rotate")
WIDTHS = (32, 64, 128)
SHORT = 64
"""Tokens of a batch's longest sequence up to which the rows for short sequences are taken."""
SHARED_LIMITS = {"sm_80": 99 * 1024, "sm_90": 227 * 1024, "gfx942": 64 * 1024}
"""Bytes of shared memory a block may take; sm_80 has 163 KB, its smaller relatives 99."""


Sides = tuple[int, int, int, int]
Rows = dict[str, dict[str, tuple[Sides, Sides, Sides]]]

# Per architecture and kernel, for head sizes 32, 64 and 128: queries, keys, warps, stages.
HALF: Rows = {
    "sm_80": {
        "forward": ((128, 64, 4, 3), (128, 64, 8, 3), (128, 64, 8, 3)),
        "keys": ((64, 64, 4, 2), (32, 128, 8, 2), (64, 64, 8, 1)),
        "queries": ((64, 64, 4, 2), (128, 32, 8, 2), (64, 64, 8, 2)),
        "prefix": ((64, 64, 4, 2), (128, 32, 8, 2), (64, 64, 8, 2)),
    },
    "sm_90": {
        "forward": ((128, 64, 4, 3), (128, 64, 4, 3), (128, 128, 8, 2)),
        "keys": ((64, 64, 4, 2), (64, 64, 8, 2), (32, 128, 8, 2)),
        "queries": ((64, 64, 4, 2), (128, 64, 8, 2), (64, 64, 8, 2)),
        "prefix": ((64, 64, 4, 2), (64, 64, 4, 2), (64, 64, 8, 2)),
    },
    "gfx942": dict.fromkeys(KERNELS[:4], ((64, 64, 4, 1),) * 3),
}
FULL: Rows = {
    "sm_80": {
        "forward": ((64, 32, 4, 2), (64, 32, 8, 2), (32, 32, 4, 2)),
        "keys": ((32, 32, 4, 2), (32, 32, 4, 2), (16, 32, 8, 1)),
        "queries": ((32, 32, 4, 2), (32, 32, 4, 2), (32, 16, 4, 1)),
        "prefix": ((32, 32, 4, 2), (32, 32, 4, 2), (32, 32, 8, 1)),
    },
    "sm_90": {
        "forward": ((64, 32, 8, 2), (64, 32, 8, 2), (16, 32, 4, 1)),
        "keys": ((32, 64, 8, 2), (32, 32, 4, 2), (32, 32, 8, 1)),
        "queries": ((32, 32, 4, 2), (32, 32, 4, 2), (16, 16, 4, 1)),
        "prefix": ((32, 32, 4, 2), (32, 32, 4, 2), (32, 32, 8, 1)),
    },
    "gfx942": {
        "forward": ((64, 32, 4, 1),) * 3,
        "keys": ((32, 32, 4, 1), (32, 32, 4, 1), (16, 32, 4, 1)),
        "queries": ((32, 32, 4, 1),) * 3,
        "prefix": ((32, 32, 4, 1),) * 3,
    },
}
# Kernels that a single row serves everywhere.
PLAIN = {
    "decode": Launch(16, 64, 4, 2),
    "delta": Launch(64, 1, 4, 1),
    "rotate": Launch(32, 4, 4, 1),
}


def _table() -> dict[Key, Launch]:
    """All rows, keyed."""
    table: dict[Key, Launch] = {}
    for arch in ARCHITECTURES:
        for bits, rows in ((16, HALF), (32, FULL)):
            for place, wide in enumerate(WIDTHS):
                for kernel, sides in rows[arch].items():
                    table[arch, kernel, wide, bits] = Launch(*sides[place])
                for kernel, launch in PLAIN.items():
                    table[arch, kernel, wide, bits] = launch
        # Two stages spill on sm_90 with four warps; of 64 keys they exceed gfx942's shared memory.
        table[arch, "decode", 128, 32] = Launch(16, 32, 8, 1)
    for wide in WIDTHS:
        # An AMD warp has 64 threads: with four of them each would move 64 bits of a small head.
        table["gfx942", "rotate", wide, 16] = Launch(32, 4, 2, 1)
    return table


TABLE = _table()

BRIEF: dict[Key, Launch] = {
    # Of 128 numbers a head, two warps spill for the keys.
    (arch, kernel, wide, 16): Launch(32, 32, 4 if (kernel, wide) == ("keys", 128) else 2, 2)
    for arch in ("sm_80", "sm_90")
    for kernel in ("forward", "keys", "queries")
    for wide in WIDTHS
}
"""Rows for batches of short sequences, for which larger tiles would be mostly empty."""

# The interpreter pays per program and per tile; unequal sides tell rows from columns in tests.
INTERPRETED = {
    "forward": Launch(64, 32, 1, 1),
    "keys": Launch(64, 32, 1, 1),
    "queries": Launch(64, 32, 1, 1),
    "prefix": Launch(64, 32, 1, 1),
    "decode": Launch(16, 32, 1, 1),
    "delta": Launch(64, 1, 1, 1),
    "rotate": Launch(64, 4, 1, 1),
}
INTERPRETED_BRIEF = Launch(16, 32, 1, 1)


def widen(head: int) -> int:
    """The width of the tile that holds a head of this size: a power of two, 32 at least."""
    return max(32, 1 << (head - 1).bit_length())


def architecture(device: torch.device) -> str:
    """The rows of TABLE that a GPU uses.

    Raises:
        ValueError: Where the GPU is older than every row of the table.
    """
    properties = torch.cuda.get_device_properties(device)
    if torch.version.hip is not None:
        return "gfx942"
    capability = (properties.major, properties.minor)
    require(
        capability >= (8, 0),
        "`compute capability >= 8.0` must hold for attention=triton (sdpa works)",
        device=properties.name,
        capability=capability,
    )
    return "sm_90" if properties.major == 9 else "sm_80"


def choose(
    kernel: str, head: int, dtype: torch.dtype, device: torch.device, short: bool = False
) -> Launch:
    """The configuration for one kernel, head size and number type on one device.

    Where all sequences are `short`, another one of the same kernel, if the device has one.
    """
    if device.type != "cuda":
        return INTERPRETED_BRIEF if short else INTERPRETED[kernel]
    key = (architecture(device), kernel, widen(head), dtype.itemsize * 8)
    return BRIEF.get(key, TABLE[key]) if short else TABLE[key]
