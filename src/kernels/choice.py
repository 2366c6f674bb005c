"""Which implementation runs: by name, or by the device of what is given."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from .checks import require
from .launch import architecture
from .placement import runs_on

Implementation = Literal["auto", "triton", "sdpa", "reference"]

_TRITON_INSTALLED = find_spec("triton") is not None


def chosen_for(implementation: Implementation, x: Tensor) -> Implementation:
    """The implementation by name, `auto` by the device.

    Raises:
        ValueError: Where there is none of that name, or triton is asked for and not installed.
    """
    if implementation == "auto":
        return "triton" if x.is_cuda and _TRITON_INSTALLED else "sdpa"
    if implementation not in ("triton", "sdpa", "reference"):
        raise ValueError(
            "`implementation` must be auto, triton, sdpa or reference, "
            f"but got (implementation={implementation})"
        )
    if implementation == "triton" and not _TRITON_INSTALLED:
        raise ValueError("implementation=triton needs the package triton, which is not installed")
    return implementation


def check_implementation(implementation: Implementation, device: torch.device) -> None:
    """Refuse what cannot run on a device, before anything is computed there.

    Raises:
        ValueError: Where triton is asked for, or is what `auto` takes, and cannot run.
    """
    if chosen_for(implementation, torch.empty(0, device=device)) != "triton":
        return
    require(
        runs_on(device),
        "`device == cuda` must hold for attention=triton (on a CPU: auto, sdpa or reference)",
        device=device,
    )
    if device.type == "cuda":
        architecture(device)
