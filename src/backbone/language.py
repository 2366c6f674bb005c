"""The language head: final hidden states → logits over the vocabulary.

    logits = H h        H: V×d, the words' own table where the configuration says `tied`

It stands beside the backbone and not in it: a classification head needs none of its weights.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .catalogue import locate
from .load import open_checkpoint
from .model import Backbone


class LanguageHead(nn.Module):
    """One linear map to the vocabulary, frozen."""

    def __init__(self, weight: Float[Tensor, "v d"]) -> None:
        """Share this table; it is not copied and not trained."""
        super().__init__()
        self.register_buffer("weight", weight.detach(), persistent=False)

    weight: Tensor

    def forward(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """Logits of the next token (causal), or of the token itself (masked)."""
        return F.linear(states, self.weight)


def load_language_head(name_or_folder: str | Path, backbone: Backbone) -> LanguageHead:
    """The pretrained head that belongs to a backbone of this name or folder.

    Raises:
        UserError: Where the checkpoint has none.
    """
    if backbone.cfg.tied:
        return LanguageHead(backbone.words.weight)
    _, read = open_checkpoint(locate(str(name_or_folder)))
    with torch.no_grad():
        return LanguageHead(read("head.weight"))
