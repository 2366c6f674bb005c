"""Adapter: small bottlenecks inside the layers, after or beside their sublayers.

    A(h) = W_up f(W_down h + b_down) + b_up        W_down: m×d   W_up: d×m   f: `activation`
    houlsby    u + A(u) for u, what attention gives, and for u, what the MLP gives
    pfeiffer   s + A(h) for s, the sum after the MLP, and h, its norm; before norms h = s
    parallel   M(x) + scale A(x) for M, the MLP, and its input x

Plugs      houlsby: blocks.*.after_attn, blocks.*.after_mlp; pfeiffer: blocks.*.norm_mlp, or
           blocks.*.after where norms stand before; parallel: blocks.*.mlp
Trains     layers · (2 d m + m + d), twice that of houlsby, and the blocks' norms
Folds      nothing: it costs its two maps a place when served
Source     Houlsby et al. 2019, arXiv:1902.00751, §2.1 and figure 2, near-identity start; Pfeiffer
           et al. 2020, arXiv:2005.00052, eq. 1; He et al. 2022, arXiv:2110.04366, §3.3 (parallel)
Prefer     where latency matters less than the score, and several tasks share one backbone
Drawback   its maps stay when served, and cost latency
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import AtMost, Choice, Range
from .base import Method

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "relu": F.relu,
    "gelu": F.gelu,
    "tanh": F.tanh,
}


class Bottleneck(nn.Module):
    """Down, activation, up, and the input added."""

    def __init__(self, width: int, bottleneck: int, activation: str) -> None:
        """Begin as the identity: the way up is zero."""
        super().__init__()
        self.down, self.up = nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        self.activation = ACTIVATIONS[activation]
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def change(self, h: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """A(h), each token by itself."""
        change: Tensor = self.up(self.activation(self.down(h)))
        return change

    def forward(self, h: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The input and its change: h + A(h)."""
        return h + self.change(h)


class AroundNorm(nn.Module):
    """A norm that stands after a residual sum, and an adapter that reads it and adds to the sum."""

    def __init__(self, norm: nn.Module, adapter: Bottleneck) -> None:
        """Keep the norm itself."""
        super().__init__()
        self.norm, self.adapter = norm, adapter

    def forward(self, s: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """N(s + A(N(s)))."""
        out: Tensor = self.norm(s + self.adapter.change(self.norm(s)))
        return out


class Beside(nn.Module):
    """An MLP and an adapter that reads the same input."""

    def __init__(self, mlp: nn.Module, adapter: Bottleneck, scale: float) -> None:
        """Keep the MLP itself."""
        super().__init__()
        self.mlp, self.adapter, self.scale = mlp, adapter, scale

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """M(x) + scale A(x)."""
        out: Tensor = self.mlp(x) + self.scale * self.adapter.change(x)
        return out


@dataclass(eq=False)
class Adapter(Method):
    """Bottleneck adapters."""

    lr: Annotated[float, Gt(0), Range(1e-4, 1e-2, log=True)] = 1e-3
    """Peak learning rate of AdamW, head included."""
    bottleneck: Annotated[int, Ge(1), AtMost("width"), Choice(8, 24, 48, 96)] = 24
    """Width m inside the adapter."""
    train_norms: bool = True
    """Whether the blocks' own norms train too, as in Houlsby's paper."""
    place: Literal["houlsby", "pfeiffer", "parallel"] = "houlsby"
    """Two in each layer after its sublayers, one after the MLP, or one beside the MLP."""
    activation: Literal["silu", "relu", "gelu", "tanh"] = "silu"
    """The activation f; silu is what the papers call swish."""
    scale: Annotated[float, Gt(0)] = 4.0
    """Factor of the parallel adapter; the others have none."""
    exact_start: ClassVar[bool] = True

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """One after attention and one after the MLP, or one alone."""
        width, after = backbone.cfg.width, backbone.cfg.norm_place == "after"

        def bottleneck(occupant: nn.Module) -> Bottleneck:
            return Bottleneck(width, self.bottleneck, self.activation)

        if self.place == "houlsby":
            return dict.fromkeys(("blocks.*.after_attn", "blocks.*.after_mlp"), bottleneck)
        if self.place == "parallel":
            return {"blocks.*.mlp": lambda mlp: Beside(mlp, bottleneck(mlp), self.scale)}
        if after:
            return {"blocks.*.norm_mlp": lambda norm: AroundNorm(norm, bottleneck(norm))}
        return {"blocks.*.after": bottleneck}

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """Both norms of each block."""
        return ("blocks.*.norm_attn", "blocks.*.norm_mlp") if self.train_norms else ()

    def trainable(self, cfg: BackboneConfig) -> int:
        """Layers · places · (2 d m + m + d), and the blocks' norms."""
        d, m, places = cfg.width, self.bottleneck, 2 if self.place == "houlsby" else 1
        norms = cfg.block_norms * cfg.norm_size if self.train_norms else 0
        return cfg.layers * places * (2 * d * m + m + d) + norms

    def check(self, cfg: BackboneConfig) -> None:
        """A bottleneck is narrower than what it sits in."""
        self.require(
            1 <= self.bottleneck <= cfg.width,
            "1 <= bottleneck <= width",
            bottleneck=self.bottleneck,
            width=cfg.width,
        )
        self.require(self.scale > 0, "scale > 0", scale=self.scale)


METHOD = Adapter
