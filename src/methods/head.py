"""Head only: the backbone stays as it is, a linear head reads it. The floor of every table.

    y = W pool(h) + b

Plugs      nothing
Trains     nothing but the head
Folds      nothing
Source     Alain & Bengio 2016, arXiv:1610.01644 (linear probes)
Prefer     as the floor that any other method has to beat, and where training must take seconds
Drawback   it changes nothing of what the backbone computes, and is far behind where a task needs
           that
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt

from ..backbone.config import BackboneConfig
from ..config import Range
from .base import Method


@dataclass(eq=False)
class Head(Method):
    """Head only."""

    lr: Annotated[float, Gt(0), Range(1e-3, 1e-1, log=True)] = 1e-2
    """Peak learning rate of AdamW."""
    exact_start: ClassVar[bool] = True

    def trainable(self, cfg: BackboneConfig) -> int:
        """None of the backbone's."""
        return 0


METHOD = Head
