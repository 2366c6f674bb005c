"""P-tuning v2: deep prompts, a table of keys and values before every layer's own.

    attention over [K_l; K(x)], [V_l; V(x)]        K_l, V_l: p × (g e), trained directly
    the text's positions begin at 0, or at p with `position_offset` length

Plugs      memory
Trains     2 · L · p · g e, g e the width of keys
Folds      to itself: it is the table already
Source     Liu et al. 2021, arXiv:2110.07602, §3.2; no MLP, the choice of §3.3
Prefer     where many tasks share one running backbone: a table for each, no weight changed
Drawback   every token reads its keys, which costs some latency
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Choice, Range
from ._virtual import MemoryTable, memory_size, random_memory
from .base import Method


@dataclass(eq=False)
class PTuningV2(Method):
    """Deep prompts without an encoder."""

    lr: Annotated[float, Gt(0), Range(3e-3, 1e-1, log=True)] = 3e-2
    """Peak learning rate of AdamW, head included."""
    length: Annotated[int, Ge(1), Choice(5, 10, 20)] = 10
    """Virtual tokens p in each layer."""
    position_offset: Literal["none", "length"] = "none"
    """Where the text's positions begin: at 0, or after the prompt's p, as in PEFT."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """The table, normal with deviation 1 as the authors' own code starts it."""
        values = random_memory(backbone.cfg, self.length)
        return {"memory": lambda _: MemoryTable(values, self.inserted(backbone.cfg))}

    def trainable(self, cfg: BackboneConfig) -> int:
        """2 · L · p · g e."""
        return memory_size(cfg, self.length)

    def inserted(self, cfg: BackboneConfig) -> int:
        """P positions of the context, where the text's begin after them."""
        return self.length if self.position_offset == "length" else 0

    def check(self, cfg: BackboneConfig) -> None:
        """The length is positive, and leaves room for a text where it takes positions."""
        self.require(self.length >= 1, "length >= 1", length=self.length)
        taken = self.inserted(cfg)
        self.require(taken < cfg.context, "length < context", length=taken, context=cfg.context)


METHOD = PTuningV2
