"""IA³: three learnt vectors in each layer scale keys, values and what the MLP computed inside.

    k = l_k * (W_k x + b_k)   v = l_v * (W_v x + b_v)   y = W_down (l_ff * inner) + b_down

Plugs      blocks.*.attn.k, blocks.*.attn.v, blocks.*.mlp.down
Trains     layers · (2 g e + hidden), g e the width of keys
Folds      into the weights, exactly: no cost when served
Source     Liu et al. 2022, arXiv:2205.05638, §3.3; all vectors start at one
Prefer     where a task may keep next to nothing, and several tasks share a batch
Drawback   it can only weigh what the backbone already computes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Range
from .base import Method


class ScaledLinear(nn.Linear):
    """A linear map that shares its frozen weight and learns a factor for each of its outputs."""

    def __init__(self, occupant: nn.Linear) -> None:
        """Take over the occupant's weight and bias themselves; begin with factors of one."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = occupant.in_features, occupant.out_features
        self.weight, self.bias = occupant.weight, occupant.bias
        self.scale = nn.Parameter(torch.ones(self._scaled()))

    def _scaled(self) -> int:
        return self.out_features

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """Factors times (W x + b)."""
        return self.scale * F.linear(x, self.weight, self.bias)

    def fold(self) -> nn.Linear:
        """A plain linear map with the factors in its weight and its bias."""
        bias = None if self.bias is None else self.scale * self.bias
        return self._plain(self.scale[:, None] * self.weight, bias)

    def _plain(self, weight: Tensor, bias: Tensor | None) -> nn.Linear:
        folded = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        folded.weight = nn.Parameter(weight.detach(), requires_grad=False)
        if bias is not None:
            folded.bias = nn.Parameter(bias.detach(), requires_grad=False)
        return folded


class InputScaledLinear(ScaledLinear):
    """The same with a factor for each input."""

    def _scaled(self) -> int:
        return self.in_features

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        """W (factors times x) + b."""
        return F.linear(self.scale * x, self.weight, self.bias)

    def fold(self) -> nn.Linear:
        """A plain linear map with the factors in its weight."""
        return self._plain(self.weight * self.scale, self.bias)


@dataclass(eq=False)
class IA3(Method):
    """Infused adapter by inhibiting and amplifying inner activations."""

    lr: Annotated[float, Gt(0), Range(1e-3, 1e-1, log=True)] = 1e-2
    """Peak learning rate of AdamW, head included."""
    exact_start: ClassVar[bool] = True
    compared: ClassVar[bool] = False

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """Factors of keys and values after their maps, the MLP's before its way down."""
        return {
            "blocks.*.attn.k": _over(ScaledLinear),
            "blocks.*.attn.v": _over(ScaledLinear),
            "blocks.*.mlp.down": _over(InputScaledLinear),
        }

    def trainable(self, cfg: BackboneConfig) -> int:
        """Layers · (2 g e + hidden)."""
        keys, values = cfg.linear("attn.k")[1], cfg.linear("attn.v")[1]
        return cfg.layers * (keys + values + cfg.linear("mlp.down")[0])

    def check(self, cfg: BackboneConfig) -> None:
        """The three maps are there."""
        for site in ("attn.k", "attn.v", "mlp.down"):
            self.require(site in cfg.sites, f"site in {cfg.sites}", site=site)


def _over(kind: type[ScaledLinear]) -> Plug:
    def make(occupant: nn.Module) -> nn.Module:
        assert isinstance(occupant, nn.Linear)
        return kind(occupant)

    return make


METHOD = IA3
