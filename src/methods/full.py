"""Full fine-tuning: every weight of the backbone trains. The ceiling of every table.

    h = f(x; theta), theta trained

Plugs      nothing
Trains     all weights of the backbone
Folds      nothing
Source     Devlin et al. 2019, arXiv:1810.04805, §4
Prefer     for the best score on one task, when a whole network can be kept for it
Drawback   a whole network to store for each task, and the most memory to train
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt

from ..backbone.config import BackboneConfig
from ..config import Range
from .base import Method


@dataclass(eq=False)
class Full(Method):
    """Full fine-tuning."""

    lr: Annotated[float, Gt(0), Range(3e-5, 1e-3, log=True)] = 3e-4
    """Peak learning rate of AdamW, head included."""
    exact_start: ClassVar[bool] = True

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """The backbone itself."""
        return ("",)

    def trainable(self, cfg: BackboneConfig) -> int:
        """All of it."""
        return cfg.count()


METHOD = Full
