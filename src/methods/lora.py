"""LoRA: a low-rank update beside a frozen linear map.

    y = (W + s B A) x + b        W: out×in, frozen   A: r×in   B: out×r   s = alpha / r
    with `rank_stabilised`       s = alpha / sqrt(r)
    with `dora`                  y = diag(m / |W + s B A|) (W + s B A) x + b        m: out

Plugs      blocks.*.{site} for each of `sites` (queries and values by default)
Trains     layers · Σ_sites r · (in + out), with `dora` + out
Folds      into W, exactly: no cost when served
Source     Hu et al. 2021, arXiv:2106.09685, eq. 3, A and B start as in §4.1; Kalajdzievski 2023,
           arXiv:2312.03732 (rank-stabilised); Liu et al. 2024, arXiv:2402.09353, eq. 5 and
           §4.3 (DoRA: the norm of each row of W + s B A counts as a constant in the gradient)
Prefer     first: it costs nothing when served, and few weights for what it reaches
Drawback   folded weights serve one task at a time; and it needs its rate: too low a one hardly
           trains it, too high a one ruins it
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import AtMost, Choice, Range, Sites
from ._low_rank import MergedLinear, merges
from .base import Method


class LowRankLinear(nn.Linear):
    """A linear map that shares its frozen weight and learns a low-rank update."""

    def __init__(self, occupant: nn.Linear, rank: int, scale: float, dropout: float) -> None:
        """Take over the occupant's weight and bias themselves, not copies of them."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = occupant.in_features, occupant.out_features
        self.weight, self.bias = occupant.weight, occupant.bias
        self.scale, self.dropout = scale, dropout
        self.a = nn.Parameter(torch.empty(rank, self.in_features))
        self.b = nn.Parameter(torch.zeros(self.out_features, rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """W x + b + s B A x."""
        dropout = self.dropout if self.training else 0.0
        if not dropout and merges(x, self.weight, self.bias, len(self.a)):
            merged: Tensor = MergedLinear.apply(  # type: ignore[no-untyped-call]
                x, self.weight, self.bias, self.a, self.b, self.scale
            )
            return merged
        low = F.linear(F.dropout(x, self.dropout, self.training) if self.dropout else x, self.a)
        return F.linear(x, self.weight, self.bias) + F.linear(low, self.b * self.scale)

    def fold(self) -> nn.Linear:
        """A plain linear map with the same outcome."""
        folded = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        merged = self.merged(torch.float64).to(self.weight.dtype)
        folded.weight = nn.Parameter(merged.detach(), requires_grad=False)
        folded.bias = self.bias
        return folded

    def merged(self, dtype: torch.dtype) -> Float[Tensor, "o i"]:
        """W + s B A."""
        return self.weight.to(dtype) + self.scale * (self.b.to(dtype) @ self.a.to(dtype))


class DoRALinear(LowRankLinear):
    """DoRA: the low-rank update turns each row of the weight, a magnitude of its own scales it."""

    def __init__(self, occupant: nn.Linear, rank: int, scale: float, dropout: float) -> None:
        """Begin with the rows' own norms as magnitudes: B is zero, so nothing changes."""
        super().__init__(occupant, rank, scale, dropout)
        self.magnitude = nn.Parameter(row_norms(self.weight.detach()))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """G (W x + s B A x) + b, G = diag(m / |W + s B A|): as W x + b and what that lacks."""
        low = F.linear(F.dropout(x, self.dropout, self.training) if self.dropout else x, self.a)
        frozen = F.linear(x, self.weight, self.bias)
        plain = frozen if self.bias is None else frozen - self.bias
        with torch.no_grad():
            norm = row_norms(super().merged(self.weight.dtype))
        gain = self.magnitude / norm
        return frozen + (gain - 1) * plain + gain * F.linear(low, self.b * self.scale)

    def merged(self, dtype: torch.dtype) -> Float[Tensor, "o i"]:
        """G (W + s B A)."""
        direction = super().merged(dtype)
        return direction * (self.magnitude.to(dtype) / row_norms(direction))[:, None]


def row_norms(weight: Float[Tensor, "o i"]) -> Float[Tensor, " o"]:
    """The norm of each row."""
    norm: Tensor = torch.linalg.vector_norm(weight, dim=1)
    return norm


@dataclass(eq=False)
class LoRA(Method):
    """Low-rank adaptation."""

    lr: Annotated[float, Gt(0), Range(3e-4, 1e-2, log=True)] = 3e-3
    """Peak learning rate of AdamW, head included."""
    rank: Annotated[int, Ge(1), AtMost("sites"), Choice(4, 8, 16, 32)] = 8
    """Rank r of the update."""
    alpha: Annotated[float, Gt(0), Choice(8.0, 16.0, 32.0)] = 16.0
    """Numerator of the scale s."""
    dropout: Annotated[float, Ge(0), Lt(1), Choice(0.0, 0.1)] = 0.0
    """Dropout on the update's input."""
    sites: Annotated[tuple[str, ...], Sites()] = ("attn.q", "attn.v")
    """Linear maps to update, relative to a block."""
    rank_stabilised: bool = False
    """Scale by alpha / sqrt(r), which keeps the update as large at any rank."""
    dora: bool = False
    """Train magnitude and direction of each row apart (DoRA)."""
    exact_start: ClassVar[bool] = True

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """A low-rank neighbour for each site."""
        return {f"blocks.*.{site}": self._beside for site in self.sites}

    def trainable(self, cfg: BackboneConfig) -> int:
        """Layers · Σ_sites r · (in + out), and out with DoRA."""
        maps = [cfg.linear(site) for site in self.sites]
        return cfg.layers * sum(self.rank * (i + o) + (o if self.dora else 0) for i, o in maps)

    @property
    def scale(self) -> float:
        """The factor s of the update."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilised else self.rank)

    def check(self, cfg: BackboneConfig) -> None:
        """The sites are there, and the rank is one that they can have.

        An update has at most the rank of the map's smaller side, so that a higher one trains
        weights in vain. PEFT allows it: an adapter that was trained so is read as it is.
        """
        self.require(bool(self.sites), "at least one site", sites=self.sites)
        single = len(set(self.sites)) == len(self.sites)
        self.require(single, "no site twice", sites=self.sites)
        for site in self.sites:
            self.require(site in cfg.sites, f"site in {cfg.sites}", site=site)
            least = min(cfg.linear(site))
            fits = self.rank <= least or self._restored
            self.require(
                self.rank >= 1 and fits, "1 <= rank <= min(in, out)", rank=self.rank, min=least
            )
        self.require(0 <= self.dropout < 1, "0 <= dropout < 1", dropout=self.dropout)
        self.require(self.alpha > 0, "alpha > 0", alpha=self.alpha)

    def _beside(self, occupant: nn.Module) -> nn.Module:
        assert isinstance(occupant, nn.Linear)
        kind = DoRALinear if self.dora else LowRankLinear
        return kind(occupant, self.rank, self.scale, self.dropout)


METHOD = LoRA
