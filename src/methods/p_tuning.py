"""P-tuning: virtual tokens in the text, computed by a small encoder that learns them together.

    [F(S); E(x)]        S: p×d   F: an MLP, or a bidirectional LSTM and an MLP after it

Plugs      prompt
Trains     p d + the encoder; MLP: (d h + h) + (h h + h) + (h d + d)
Folds      to the prompt's table p · d, the encoder is not needed to serve; before a text on a
           causal backbone, to keys and values that are computed once
Source     Liu et al. 2021, arXiv:2103.10385, §3.2 and eq. 4
Prefer     where a prompt alone should train, but trains badly by itself
Drawback   on an encoder its tokens cost latency; and on a small backbone it learns little
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..backbone.config import BackboneConfig
from ..backbone.layout import Layout
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Below, Choice, Range
from ._virtual import PromptTable, insert
from .base import Method


class Recurrent(nn.Module):
    """Two bidirectional LSTM layers and an MLP of two maps."""

    def __init__(self, width: int, hidden: int) -> None:
        """Make the encoder."""
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, num_layers=2, bidirectional=True)
        self.mlp = nn.Sequential(
            nn.Linear(2 * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, width)
        )

    def forward(self, seeds: Float[Tensor, "p d"]) -> Float[Tensor, "p d"]:
        """The prompt, each vector knowing its neighbours."""
        states: Tensor = self.lstm(seeds)[0]
        out: Tensor = self.mlp(states)
        return out


class EncodedPrompt(nn.Module):
    """A prompt that an encoder computes from seeds."""

    def __init__(self, length: int, width: int, hidden: int, encoder: str) -> None:
        """Seeds are normal with deviation 1; the encoder starts as torch starts it."""
        super().__init__()
        self.seeds = nn.Embedding(length, width)
        self.encoder = (
            Recurrent(width, hidden)
            if encoder == "lstm"
            else nn.Sequential(
                nn.Linear(width, hidden),
                nn.ReLU(),
                nn.Linear(hidden, hidden),
                nn.ReLU(),
                nn.Linear(hidden, width),
            )
        )

    def forward(
        self,
        x: Float[Tensor, "n d"],
        layout: Layout,
        soft_token_positions: Int[Tensor, "b s"] | None = None,
    ) -> tuple[Float[Tensor, "m d"], Layout, Int[Tensor, " n"]]:
        """The text with the encoded prompt before it, or at its positions."""
        return insert(self.encoder(self.seeds.weight), x, layout, soft_token_positions)

    def drop_encoder(self) -> PromptTable:
        """The prompt as it came out."""
        return PromptTable(self.encoder(self.seeds.weight))


@dataclass(eq=False)
class PTuning(Method):
    """Soft prompts through a prompt encoder."""

    lr: Annotated[float, Gt(0), Range(5e-4, 5e-2, log=True)] = 5e-3
    """Peak learning rate of AdamW, head included."""
    length: Annotated[int, Ge(1), Below("context"), Choice(5, 10, 20)] = 10
    """Virtual tokens p."""
    encoder: Literal["mlp", "lstm"] = "mlp"
    """The prompt encoder."""
    hidden: Annotated[int, Ge(1), Choice(64, 128, 256)] = 128
    """Width h inside the encoder."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """The encoded prompt, before the text."""
        width = backbone.cfg.width
        return {"prompt": lambda _: EncodedPrompt(self.length, width, self.hidden, self.encoder)}

    def trainable(self, cfg: BackboneConfig) -> int:
        """Seeds and encoder."""
        d, h = cfg.width, self.hidden
        if self.encoder == "mlp":
            return self.length * d + (d * h + h) + (h * h + h) + (h * d + d)
        lstm = 8 * (h * d + h * h + 2 * h) + 8 * (3 * h * h + 2 * h)
        return self.length * d + lstm + (4 * h * h + 2 * h) + (2 * h * d + d)

    def stored(self, cfg: BackboneConfig) -> int:
        """The folded table."""
        return self.length * cfg.width

    def inserted(self, cfg: BackboneConfig) -> int:
        """P positions of the context."""
        return self.length

    def check(self, cfg: BackboneConfig) -> None:
        """The prompt leaves room for a text."""
        self.require(
            1 <= self.length < cfg.context,
            "1 <= length < context",
            length=self.length,
            context=cfg.context,
        )
        self.require(self.hidden >= 1, "hidden >= 1", hidden=self.hidden)


METHOD = PTuning
