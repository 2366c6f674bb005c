"""Llama 3's scaled rotary frequencies, as GGUF files keep them.

    rope_freqs.weight    f_i / f'_i    for each pair of numbers of a head; f: plain, f': scaled

llama.cpp keeps what the scaling comes to and none of its settings, and divides by it. Every release
from Llama 3.1 on has the same `low`, `high` and `trained` and a factor that its lowest frequencies
are divided by whole; so they are recovered, and the tensor must then be what they come to.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from ...backbone.config import BackboneConfig, RopeScaling
from ...backbone.rope_scaling import frequencies, scaled_frequencies
from ...errors import UserError

TRAINED = 8192
"""Positions of Llama 3's pretraining, from which its releases since 3.1 reckon."""
CLOSE = 1e-5
"""Relative difference that a divisor may have: both sides are reckoned in fp32."""


def recovered(cfg: BackboneConfig, divisors: Tensor, path: Path) -> BackboneConfig:
    """The configuration whose rotary frequencies are the plain ones over the divisors (f).

    Raises:
        UserError: They are not those of Llama 3.1 and later.
    """
    requirement = (
        f"{path}: rope_freqs.weight must be Llama 3's (low 1, high 4, {TRAINED} positions)"
    )
    if cfg.positions != "rotary" or cfg.rope_scaling is not None:
        raise UserError(f"{requirement} and the only scaling, but the settings say otherwise")
    plain = frequencies(cfg.head_size, cfg.rope_theta)
    if divisors.shape != plain.shape:
        shapes = f"(tensor={tuple(divisors.shape)}, frequencies={tuple(plain.shape)})"
        raise UserError(f"{requirement}, one number for each frequency, but got {shapes}")
    if not (divisors.isfinite() & (divisors > 0)).all():
        raise UserError(f"{requirement}, all positive, but got {divisors.tolist()}")
    scaling = RopeScaling("llama3", float(divisors.max()), TRAINED)
    wanted = plain / scaled_frequencies(cfg.head_size, cfg.rope_theta, scaling)
    for place, (divisor, right) in enumerate(zip(divisors, wanted, strict=True)):
        if not torch.isclose(divisor, right, rtol=CLOSE, atol=0.0):
            numbers = f"(place={place}, found={divisor:.6g}, factor {scaling.factor:g}={right:.6g})"
            raise UserError(f"{requirement}, but got {numbers}; take its safetensors folder")
    return dataclasses.replace(cfg, rope_scaling=scaling)
