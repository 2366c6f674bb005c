"""VeRA: one pair of random matrices for all layers, and two trained vectors for each map.

    y = (W + diag(b) B diag(d) A) x + c        A: r×in, B: out×r, random, frozen, shared

Plugs      blocks.*.{site} for each of `sites` (queries and values by default)
Trains     layers · Σ_sites (r + out)
Folds      into W, exactly: no cost when served; A and B come again from their seed
Source     Kopiczko et al. 2024, arXiv:2310.11454, eq. 2 and §3.3: b starts at zero, d at
           `diagonal`; maps of several widths take the leading rows and columns, as PEFT does
Prefer     where LoRA's weights are too many to keep for each task
Drawback   to train, its rank costs what LoRA's of the same size would; and it can do less with it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Choice, Range, Sites
from .base import Method


class Projections(nn.Module):
    """The random pair, drawn on the CPU so that every device gets the same numbers."""

    a: Tensor
    b: Tensor

    def __init__(self, rank: int, widest: tuple[int, int], seed: int) -> None:
        """For maps of at most these widths (in, out); uniform as Kaiming has it, A first."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for name, shape in (("a", (rank, widest[0])), ("b", (widest[1], rank))):
            drawn = nn.init.kaiming_uniform_(torch.empty(shape), generator=generator)
            self.register_buffer(name, drawn, persistent=False)


class VectorLinear(nn.Linear):
    """A linear map that shares its frozen weight and the random pair, and learns two vectors."""

    def __init__(self, occupant: nn.Linear, shared: Projections, diagonal: float) -> None:
        """Take over the occupant's weight and bias themselves, not copies of them."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = occupant.in_features, occupant.out_features
        self.weight, self.bias = occupant.weight, occupant.bias
        self.shared = shared
        self.d = nn.Parameter(torch.full((len(shared.a),), diagonal))
        self.b = nn.Parameter(torch.zeros(self.out_features))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """W x + c + b * B (d * A x)."""
        a, b = self.shared.a[:, : self.in_features], self.shared.b[: self.out_features]
        return F.linear(x, self.weight, self.bias) + self.b * F.linear(self.d * F.linear(x, a), b)

    def fold(self) -> nn.Linear:
        """A plain linear map with W + diag(b) B diag(d) A."""
        a = self.shared.a[:, : self.in_features].double()
        b = self.shared.b[: self.out_features].double()
        update = (self.b.double()[:, None] * b) @ (self.d.double()[:, None] * a)
        folded = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        merged = (self.weight.double() + update).to(self.weight.dtype)
        folded.weight = nn.Parameter(merged.detach(), requires_grad=False)
        folded.bias = self.bias
        return folded


@dataclass(eq=False)
class VeRA(Method):
    """Vector-based random matrix adaptation."""

    lr: Annotated[float, Gt(0), Range(1e-3, 1e-1, log=True)] = 1e-2
    """Peak learning rate of AdamW, head included."""
    rank: Annotated[int, Ge(1), Choice(64, 256, 512)] = 256
    """Rank r of the random pair; it may exceed the widths."""
    diagonal: Annotated[float, Choice(0.1, 1.0)] = 0.1
    """Where each d starts."""
    seed: Annotated[int, Ge(0)] = 0
    """Draws the random pair; it is kept in their stead."""
    sites: Annotated[tuple[str, ...], Sites()] = ("attn.q", "attn.v")
    """Linear maps to update, relative to a block."""
    exact_start: ClassVar[bool] = True
    compared: ClassVar[bool] = False

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """Two vectors for each site, and the one pair for all."""
        widths = [backbone.cfg.linear(site) for site in self.sites]
        widest = max(i for i, _ in widths), max(o for _, o in widths)
        shared = Projections(self.rank, widest, self.seed).to(backbone.embedding.weight.device)

        def beside(occupant: nn.Module) -> nn.Module:
            assert isinstance(occupant, nn.Linear)
            return VectorLinear(occupant, shared, self.diagonal)

        return {f"blocks.*.{site}": beside for site in self.sites}

    def trainable(self, cfg: BackboneConfig) -> int:
        """Layers · Σ_sites (r + out)."""
        return cfg.layers * sum(self.rank + cfg.linear(site)[1] for site in self.sites)

    def check(self, cfg: BackboneConfig) -> None:
        """The sites are there."""
        self.require(bool(self.sites), "at least one site", sites=self.sites)
        single = len(set(self.sites)) == len(self.sites)
        self.require(single, "no site twice", sites=self.sites)
        for site in self.sites:
            self.require(site in cfg.sites, f"site in {cfg.sites}", site=site)
        self.require(self.rank >= 1, "rank >= 1", rank=self.rank)
        self.require(self.seed >= 0, "seed >= 0", seed=self.seed)


METHOD = VeRA
