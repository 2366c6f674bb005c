"""P-tuning v2: deep prompts, a table of keys and values before every layer's own.

    attention over [K_l; K(x)], [V_l; V(x)]        K_l, V_l: p × (g e), trained directly

Plugs      memory
Trains     2 · L · p · g e, g e the width of keys
Folds      to itself: it is the table already
Source     Liu et al. 2021, arXiv:2110.07602, §3.2; no MLP, the choice of §3.3
Prefer     where many tasks share one running backbone: a table for each, no weight changed
Drawback   keys that every token reads: 1.03 to 1.14 times the bare latency (docs/results.md,
           GLUE)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Choice, Span
from ._virtual import MemoryTable
from .base import Method


@dataclass(eq=False)
class PTuningV2(Method):
    """Deep prompts without an encoder."""

    lr: Annotated[float, Span(3e-3, 1e-1, log=True)] = 3e-2
    """Peak learning rate of AdamW, head included."""
    length: Annotated[int, Choice(5, 10, 20)] = 10
    """Virtual tokens p in each layer."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """The table, normal with deviation 1 as the authors' own code starts it."""
        cfg = backbone.cfg
        values = torch.randn(2, cfg.layers, self.length, cfg.key_heads, cfg.head_size)
        return {"memory": lambda _: MemoryTable(values)}

    def trainable(self, cfg: BackboneConfig) -> int:
        """2 · L · p · g e."""
        return 2 * cfg.layers * self.length * cfg.key_heads * cfg.head_size

    def check(self, cfg: BackboneConfig) -> None:
        """The length is positive."""
        self.law(self.length >= 1, "length >= 1", length=self.length)


METHOD = PTuningV2
