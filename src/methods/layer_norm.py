"""LayerNorm tuning: only the norms train, their gains and, where they have them, their shifts.

    y = (x - mean) / deviation * g + b        g and b trained; of an RMS norm g alone

Plugs      nothing
Trains     the weights of every norm: 2 d a norm, d an RMS norm
Folds      nothing: it costs nothing when served
Source     Qi et al. 2022, arXiv:2211.08682; Zhao et al. 2023, arXiv:2312.11420
Prefer     where a task may keep next to nothing, on any backbone
Drawback   it learns no more than a scale and a shift for each channel
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt

from ..backbone.config import BackboneConfig
from ..config import Range
from .base import Method


@dataclass(eq=False)
class LayerNorm(Method):
    """LayerNorm tuning."""

    lr: Annotated[float, Gt(0), Range(1e-4, 1e-2, log=True)] = 2e-3
    """Peak learning rate of AdamW, head included."""
    exact_start: ClassVar[bool] = True
    compared: ClassVar[bool] = False

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """Every norm."""
        return cfg.norms

    def trainable(self, cfg: BackboneConfig) -> int:
        """A norm's weights, as often as there are norms."""
        return cfg.norm_count * cfg.norm_size


METHOD = LayerNorm
