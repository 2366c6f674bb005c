"""Counts the optimizer steps that a process and its children take, whatever becomes of them."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch.core.optimizer import LightningOptimizer
from tunebench.records import Comparison


def count_steps(path: Path) -> None:
    """Write a byte for every optimizer step that is taken from now on, as it is taken."""
    inner = LightningOptimizer.step

    def step(self: Any, *arguments: Any, **more: Any) -> Any:
        file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(file, b".")
        os.close(file)
        return inner(self, *arguments, **more)

    LightningOptimizer.step = step  # type: ignore[method-assign]


def taken(path: Path) -> int:
    """How many were taken."""
    return path.stat().st_size


def needed(comparison: Comparison) -> int:
    """How many its trials and cells consist of."""
    return sum(one.curve.steps[-1] for one in (*comparison.trials, *comparison.results))
