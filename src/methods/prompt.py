"""Prompt tuning: trained vectors before the text's own embeddings, or in its template.

    [P; E(x)]        P: p×d

Plugs      prompt
Trains     p · d
Folds      nothing on an encoder: its tokens are computed with the text's
Source     Lester et al. 2021, arXiv:2104.08691, §2; start from the vocabulary as in §3.2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import torch

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.ports import Plug
from ..config import Choice, Span
from ._virtual import PromptTable
from .base import Method


@dataclass(eq=False)
class Prompt(Method):
    """Soft prompts."""

    lr: Annotated[float, Span(1e-3, 1e-1, log=True)] = 1e-2
    """Peak learning rate of AdamW, head included."""
    length: Annotated[int, Choice(5, 10, 20)] = 10
    """Virtual tokens p."""
    start: Literal["vocabulary", "random"] = "vocabulary"
    """Where the vectors begin: at words of the vocabulary, or at random, as widely spread."""

    def plugs(self, backbone: Backbone) -> Mapping[str, Plug]:
        """The table, before the text."""
        words = backbone.words.weight.detach()
        drawn = words[torch.randint(len(words), (self.length,), device=words.device)]
        values = drawn if self.start == "vocabulary" else torch.randn_like(drawn) * words.std()
        return {"prompt": lambda occupant: PromptTable(values)}

    def trainable(self, cfg: BackboneConfig) -> int:
        """Vectors by width: p · d."""
        return self.length * cfg.width

    def inserted(self, cfg: BackboneConfig) -> int:
        """P tokens of the context."""
        return self.length

    def check(self, cfg: BackboneConfig) -> None:
        """The prompt leaves room for a text."""
        self.law(
            1 <= self.length < cfg.context,
            "1 <= length < context",
            length=self.length,
            context=cfg.context,
        )


METHOD = Prompt
