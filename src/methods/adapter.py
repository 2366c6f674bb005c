"""Adapter: a small bottleneck after each sublayer, before its residual sum.

    h + W_up s(W_down h + b_down) + b_up       W_down: m×d   W_up: d×m   s: SiLU

Plugs      blocks.*.after_attn, blocks.*.after_mlp
Trains     2 · layers · (2 d m + m + d), and the blocks' norms
Folds      nothing: it costs its two maps a sublayer when served
Source     Houlsby et al. 2019, arXiv:1902.00751, §2.1 and figure 2; near-identity start
Prefer     where latency matters less than the score, and several tasks share one backbone
Drawback   its maps stay when served: 1.09 to 1.14 times the bare latency (docs/results.md, GLUE)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Choice, Span
from .base import Method


class Bottleneck(nn.Module):
    """Down, bend, up, and the input added."""

    def __init__(self, width: int, bottleneck: int) -> None:
        """Begin as the identity: the way up is zero."""
        super().__init__()
        self.down, self.up = nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, h: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Each token by itself."""
        change: Tensor = self.up(F.silu(self.down(h)))
        return h + change


@dataclass(eq=False)
class Adapter(Method):
    """Houlsby's bottleneck adapters."""

    lr: Annotated[float, Span(1e-4, 1e-2, log=True)] = 1e-3
    """Peak learning rate of AdamW, head included."""
    bottleneck: Annotated[int, Choice(8, 24, 48, 96)] = 24
    """Width m inside the adapter."""
    train_norms: bool = True
    """Whether the blocks' own norms train too, as in the paper."""
    exact_start: ClassVar[bool] = True

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """One after attention and one after the MLP."""
        return dict.fromkeys(("blocks.*.after_attn", "blocks.*.after_mlp"), self._behind(backbone))

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """Both norms of each block."""
        return ("blocks.*.norm_attn", "blocks.*.norm_mlp") if self.train_norms else ()

    def trainable(self, cfg: BackboneConfig) -> int:
        """2 · layers · (2 d m + m + d), and two norms a layer."""
        d, m = cfg.width, self.bottleneck
        return 2 * cfg.layers * (2 * d * m + m + d + (cfg.norm_size if self.train_norms else 0))

    def check(self, cfg: BackboneConfig) -> None:
        """A bottleneck is narrower than what it sits in."""
        self.law(
            1 <= self.bottleneck <= cfg.width,
            "1 <= bottleneck <= width",
            bottleneck=self.bottleneck,
            width=cfg.width,
        )

    def _behind(self, backbone: Backbone) -> Plug:
        return lambda occupant: Bottleneck(backbone.cfg.width, self.bottleneck)


METHOD = Adapter
