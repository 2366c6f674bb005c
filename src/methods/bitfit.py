"""BitFit: only the biases train, those of the linear maps and of the norms.

    y = W x + b        W frozen, b trained

Plugs      nothing
Trains     layers · Σ_sites out, and d for each norm, where they have a bias
Folds      nothing: it costs nothing when served
Source     Ben Zaken et al. 2022, arXiv:2106.10199, §3
Prefer     where a task may keep next to nothing, and the backbone has biases
Drawback   not for backbones without biases, such as Llama
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Gt

from ..backbone.config import BackboneConfig
from ..config import Range
from ..errors import UserError
from .base import Method


@dataclass(eq=False)
class BitFit(Method):
    """Bias-term fine-tuning."""

    lr: Annotated[float, Gt(0), Range(1e-4, 1e-2, log=True)] = 2e-3
    """Peak learning rate of AdamW, head included."""
    exact_start: ClassVar[bool] = True
    compared: ClassVar[bool] = False

    def trains(self, cfg: BackboneConfig) -> tuple[str, ...]:
        """Every bias."""
        maps = tuple(f"blocks.*.{site}.bias" for site in cfg.sites if cfg.biased(site))
        return (*maps, *(f"{norm}.bias" for norm in cfg.norms if cfg.norm_biased))

    def trainable(self, cfg: BackboneConfig) -> int:
        """Layers · Σ_sites out, and d for each layer norm."""
        maps = cfg.layers * sum(cfg.linear(site)[1] for site in cfg.sites if cfg.biased(site))
        return maps + (cfg.norm_count * cfg.width if cfg.norm_biased else 0)

    def check(self, cfg: BackboneConfig) -> None:
        """There is a bias to train."""
        if not self.trains(cfg):
            raise UserError(
                f"methods.{self.name}: this backbone has no bias, so nothing would train"
            )


METHOD = BitFit
