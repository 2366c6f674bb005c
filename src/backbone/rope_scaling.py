"""Rotary frequencies, plain and scaled for texts longer than those of pretraining.

    plain      f_i = theta^(-2i/e)                                          Su et al. 2021, eq. 15
    linear     f_i / s                                                      Chen et al. 2023
    dynamic    theta · (s L / T - (s - 1))^(e/(e-2)) instead of theta       NTK-aware, by the length
    llama3     f_i where it rotations more than `high` times over T, f_i / s where less than `low`,
               a blend of both in between                                   Llama 3 herd, 2024, §3

e: size of a head; s: factor; T: positions of pretraining; L: positions now, T at least.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .config import RopeScaling


def frequencies(size: int, theta: float | Tensor) -> Float[Tensor, " f"]:
    """The plain ones, one for each pair of numbers of a head, in fp32."""
    device = theta.device if isinstance(theta, Tensor) else None
    return 1.0 / theta ** (torch.arange(0, size, 2, device=device).float() / size)


def scaled_frequencies(
    size: int,
    theta: float,
    scaling: RopeScaling | None,
    length: float | Tensor = 0,
) -> Float[Tensor, " f"]:
    """Frequencies under a scaling.

    Args:
        size: Numbers of a head.
        theta: The base.
        scaling: None for the plain ones.
        length: Positions of the longest text, for `dynamic`; a tensor asks no device for a number.
    """
    if scaling is None:
        return frequencies(size, theta)
    if scaling.kind == "linear":
        return frequencies(size, theta) / scaling.factor
    if scaling.kind == "llama3":
        return _llama3(frequencies(size, theta), scaling)
    tokens = torch.as_tensor(length, dtype=torch.float32).clamp(min=scaling.trained)
    growth = scaling.factor * tokens / scaling.trained - (scaling.factor - 1)
    return frequencies(size, theta * growth ** (size / (size - 2)))


def _llama3(plain: Float[Tensor, " f"], scaling: RopeScaling) -> Float[Tensor, " f"]:
    rotations = scaling.trained * plain / (2 * math.pi)
    share = ((rotations - scaling.low) / (scaling.high - scaling.low)).clamp(0, 1)
    return (1 - share) * plain / scaling.factor + share * plain
