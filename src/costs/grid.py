"""What is to be timed, as settings; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Length = int | Literal["context", "texts"]
"""Tokens of each text: a number, as many as there is room for, or those of real texts."""


@dataclass(frozen=True)
class Grid:
    """Which batches are timed, and how well."""

    batches: tuple[int, ...] = (1, 8, 32)
    lengths: tuple[Length, ...] = (32, 128, 384, "context", "texts")
    half_width: float = 0.02
    """Of the ratio's interval, relative to the ratio: a point ends where it is reached."""
    seconds: float = 60.0
    """For one point at most."""
    compile: bool = False
    """Whether both sides go through torch.compile; what has a cache is left out then."""
