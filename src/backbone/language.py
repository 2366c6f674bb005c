"""The language head: final hidden states → logits over the vocabulary.

    logits = H t(h) + c     H: V×d, the words' own table where the configuration says `tied`
                            t, c: nothing on a decoder; an encoder's t = N(gelu(W h + b))

It stands beside the backbone and not in it: a classification head needs none of its weights.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from .catalogue import locate
from .checkpoints import Read
from .config import BackboneConfig
from .load import open_checkpoint
from .model import Backbone


class LanguageHead(nn.Module):
    """A linear map to the vocabulary, behind a transform where the model has one; frozen."""

    def __init__(
        self,
        weight: Float[Tensor, "v d"],
        bias: Float[Tensor, " v"] | None = None,
        transform: nn.Module | None = None,
    ) -> None:
        """Share this table; it is not copied and not trained."""
        super().__init__()
        self.register_buffer("weight", weight.detach(), persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.transform = (transform or nn.Identity()).requires_grad_(False)

    weight: Tensor
    bias: Tensor | None

    def forward(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """Logits of the next token (causal), or of the token itself (masked)."""
        return F.linear(self.transform(states), self.weight, self.bias)


def load_language_head(name_or_folder: str | Path, backbone: Backbone) -> LanguageHead:
    """The pretrained head that belongs to a backbone of this name or folder.

    Raises:
        UserError: Where the checkpoint has none.
    """
    if backbone.cfg.causal and backbone.cfg.tied:
        return LanguageHead(backbone.words.weight)
    _, read = open_checkpoint(locate(str(name_or_folder)))
    try:
        with torch.no_grad():
            if backbone.cfg.causal:
                return LanguageHead(read("head.weight"))
            transform = _transform(backbone.cfg, read)
            return LanguageHead(backbone.words.weight, read("head.bias"), transform)
    except UserError as error:
        raise UserError(f"this backbone has no language head: {error}") from None


def _transform(cfg: BackboneConfig, read: Read) -> nn.Module:
    """BERT's way to its vocabulary: a linear map, its bend, a norm."""
    dense, norm = nn.Linear(cfg.width, cfg.width), nn.LayerNorm(cfg.width, cfg.epsilon)
    for name, module in (("dense", dense), ("norm", norm)):
        for leaf, parameter in module.named_parameters():
            parameter.copy_(read(f"head.{name}.{leaf}"))
    return nn.Sequential(dense, nn.GELU(), norm)
