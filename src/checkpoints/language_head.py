"""The language head: final hidden states → logits over the vocabulary.

    causal     logits = H h
    masked     logits = H N(g(W h)) + b       g, N: the activation and norm of its family

H: V×d, the embedding's own table where the checkpoint has no other. The head stands beside the
backbone and not in it: a classification head needs none of its weights.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.block import ACTIVATIONS, make_norm
from ..backbone.config import BackboneConfig
from .format import Missing, Read


class Transform(nn.Module):
    """What a masked language model's head does before its table: N(g(W h))."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """Fresh weights, in the form that the configuration's `head` says.

        Raises:
            ValueError: The configuration's head has no transform.
        """
        super().__init__()
        if cfg.head is None:
            raise ValueError("this configuration's head is a table alone")
        self.dense = nn.Linear(cfg.width, cfg.width, bias=cfg.head.dense_bias)
        self.norm = make_norm(cfg)
        self.activation = ACTIVATIONS[cfg.head.activation]

    def forward(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Each token by itself."""
        out: Tensor = self.norm(self.activation(self.dense(states)))
        return out


class LanguageHead(nn.Module):
    """From states to the vocabulary, frozen."""

    def __init__(
        self,
        weight: Float[Tensor, "v d"],
        bias: Float[Tensor, " v"] | None = None,
        transform: nn.Module | None = None,
    ) -> None:
        """Share this table; it is not copied and not trained, nor is what else there is."""
        super().__init__()
        self.register_buffer("weight", weight.detach(), persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)
        self.transform = nn.Identity() if transform is None else transform
        self.transform.requires_grad_(False)

    weight: Tensor
    bias: Tensor | None

    def forward(self, states: Float[Tensor, "n d"]) -> Float[Tensor, "n v"]:
        """Logits of the next token (causal), or of the token itself (masked)."""
        return F.linear(self.transform(states), self.weight, self.bias)


def read_language_head(cfg: BackboneConfig, read: Read, table: Tensor) -> LanguageHead:
    """The pretrained head of a checkpoint.

    Args:
        cfg: The shape of the network it stands on.
        read: Gives the checkpoint's tensors by our names.
        table: The embedding's weights (V d), which a tied head shares.

    Raises:
        Missing: The checkpoint has none.
    """
    weight = _table(cfg, read, table)
    if cfg.head is None:
        return LanguageHead(weight)
    transform = Transform(cfg)
    with torch.no_grad():
        for name, parameter in transform.named_parameters():
            parameter.copy_(read(f"head.{name}", tuple(parameter.shape)))
    bias = read("head.bias", (cfg.vocabulary,)) if cfg.head.bias else None
    return LanguageHead(weight, bias, transform.eval())


def _table(cfg: BackboneConfig, read: Read, table: Tensor) -> Tensor:
    """The head's matrix (V d).

    Settings may say that it is the embedding's table while the file has another one: a merged
    adapter that trained it, for one. As in transformers, two that differ are not tied.
    """
    shape = tuple(table.shape)
    if not cfg.tied:
        return read("head.weight", shape)
    try:
        stored = read("head.weight", shape)
    except Missing:
        return table
    return table if torch.equal(stored, read("embedding.weight", shape)) else stored
