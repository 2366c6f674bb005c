"""Prefix tuning: keys and values before every layer's own, reparameterised by one MLP.

    [K_l; V_l] = slices of  W_2 tanh(W_1 S + b_1) + b_2        S: p×d   W_1: h×d   W_2: (2 L g e)×h
    with `hidden` 0 the keys and values themselves train, without S and MLP
    the text's positions begin at 0, or at p with `position_offset` length

Plugs      memory
Trains     p d + (d h + h) + (2 L g e h + 2 L g e), g e the width of keys; without MLP 2 L p g e
Folds      to the table 2 · L · p · g e: the MLP is not needed to serve
Source     Li & Liang 2021, arXiv:2101.00190, §4.2 and §4.3
Prefer     as p-tuning v2, where its table trains badly by itself
Drawback   the MLP trains many times the weights that are kept; and every token reads its keys,
           which costs some latency
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt
from torch import Tensor, nn

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Memory, Plug
from ..config import Choice, Range
from ._virtual import MemoryTable, memory_size, random_memory
from .base import Method


class EncodedMemory(nn.Module):
    """Keys and values of every layer, out of one MLP."""

    def __init__(self, cfg: BackboneConfig, length: int, hidden: int, start: int) -> None:
        """Seeds are normal with deviation 1; the MLP starts as torch starts it."""
        super().__init__()
        self.start = start
        self.shape = (length, 2, cfg.layers, cfg.key_heads, cfg.head_size)
        self.seeds = nn.Embedding(length, cfg.width)
        out = 2 * cfg.layers * cfg.key_heads * cfg.head_size
        self.mlp = nn.Sequential(nn.Linear(cfg.width, hidden), nn.Tanh(), nn.Linear(hidden, out))

    def table(self) -> Tensor:
        """Keys and values (2 layers p g e)."""
        rows: Tensor = self.mlp(self.seeds.weight)
        return rows.view(self.shape).permute(1, 2, 0, 3, 4)

    def forward(self) -> Memory:
        """The MLP's output, asked once a forward pass for all layers."""
        keys, values = self.table()
        return Memory(keys, values, self.start)

    def drop_encoder(self) -> MemoryTable:
        """The table as it came out."""
        return MemoryTable(self.table(), self.start)


@dataclass(eq=False)
class Prefix(Method):
    """Prefix tuning with its reparameterising MLP."""

    lr: Annotated[float, Gt(0), Range(3e-4, 1e-2, log=True)] = 3e-3
    """Peak learning rate of AdamW, head included."""
    length: Annotated[int, Ge(1), Choice(5, 10, 20)] = 10
    """Virtual tokens p in each layer."""
    hidden: Annotated[int, Ge(0), Choice(128, 256, 512)] = 256
    """Width h inside the MLP; 0 trains keys and values without one."""
    position_offset: Literal["none", "length"] = "none"
    """Where the text's positions begin: at 0, or after the prefix's p, as in PEFT."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """One memory for all layers."""
        cfg, start = backbone.cfg, self.inserted(backbone.cfg)
        if self.hidden:
            return {"memory": lambda _: EncodedMemory(cfg, self.length, self.hidden, start)}
        values = random_memory(cfg, self.length)
        return {"memory": lambda _: MemoryTable(values, start)}

    def trainable(self, cfg: BackboneConfig) -> int:
        """Seeds and MLP, or the table."""
        if not self.hidden:
            return memory_size(cfg, self.length)
        d, h, out = cfg.width, self.hidden, 2 * cfg.layers * cfg.key_heads * cfg.head_size
        return self.length * d + (d * h + h) + (out * h + out)

    def stored(self, cfg: BackboneConfig) -> int:
        """The folded table."""
        return memory_size(cfg, self.length)

    def inserted(self, cfg: BackboneConfig) -> int:
        """P positions of the context, where the text's begin after them."""
        return self.length if self.position_offset == "length" else 0

    def check(self, cfg: BackboneConfig) -> None:
        """Sizes are positive, and a text has room where the prefix takes positions."""
        self.require(self.length >= 1, "length >= 1", length=self.length)
        self.require(self.hidden >= 0, "hidden >= 0", hidden=self.hidden)
        taken = self.inserted(cfg)
        self.require(taken < cfg.context, "length < context", length=taken, context=cfg.context)


METHOD = Prefix
