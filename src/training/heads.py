"""How final hidden states become a text's logits: a pooled linear head, or label words.

    PooledHead      logits = W dropout(pool(h) - o) + b       h: the text's own token states
    LabelWords      logits_c = H[w_c] t(h_read) + c[w_c]      the language head, w_c a class's word

Both first gather one vector a text, then read it, so that vectors of a frozen backbone can be kept.
Label words: Schick & Schütze 2021, arXiv:2001.07676, §3.1 (verbalizers); Liu et al. 2021,
arXiv:2103.10385, §3.1.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbone.layout import Layout
from ..checkpoints.language_head import LanguageHead
from ..data.text.batches import BatchSpans

Pooling = Literal["mean", "first", "last"]


class PooledHead(nn.Linear):
    """One linear map on a text's pooled states; trained under every method.

    While it trains it may look at them from an `origin`, their mean before training. A pooled state
    is mostly what all texts have in common (0.93 of its norm on SmolLM2's eighth layer), and a step
    along that moves every text's logits at once. It learns values of a regression standardised.
    Afterwards both go into weight and bias (`absorb_normalisation`).
    """

    origin: Tensor

    def __init__(
        self,
        width: int,
        outputs: int,
        pooling: Pooling,
        dropout: float,
        origin: Float[Tensor, " d"] | None = None,
    ) -> None:
        """Weights normal with deviation 0.02, no bias yet; without an origin it is zero."""
        super().__init__(width, outputs)
        nn.init.normal_(self.weight, std=0.02)
        nn.init.zeros_(self.bias)
        start = torch.zeros(width) if origin is None else origin.clone()
        self.register_buffer("origin", start, persistent=False)
        self.pooling, self.dropout = pooling, dropout

    def gather(
        self, states: Float[Tensor, "n d"], layout: Layout, spans: BatchSpans | None
    ) -> Float[Tensor, "b d"]:
        """Each text's pooled states; where a template wants its word read does not matter."""
        return pool(states, layout, self.pooling)

    def forward(self, vectors: Float[Tensor, "*b d"]) -> Float[Tensor, "*b c"]:
        """Logits, or one standardised value."""
        return super().forward(F.dropout(vectors - self.origin, self.dropout, self.training))

    @torch.no_grad()
    def absorb_normalisation(self, center: float, spread: float) -> None:
        """Become a plain linear map to the labels' own scale: center + spread · (W (h - o) + b)."""
        self.bias.sub_(self.weight @ self.origin).mul_(spread).add_(center)
        self.weight.mul_(spread)
        self.origin.zero_()


class LabelWords(nn.Module):
    """The language head's rows of the label words, one a class; frozen but for head-only."""

    def __init__(
        self, language: LanguageHead, words: tuple[int, ...], *, trains: bool = False
    ) -> None:
        """Copy the rows of these token ids, in the order of the classes."""
        super().__init__()
        self.out_features, self.transform = len(words), language.transform
        ids = torch.tensor(words, device=language.weight.device)
        self.weight = nn.Parameter(language.weight[ids].clone(), requires_grad=trains)
        bias = None if language.bias is None else language.bias[ids]
        self.register_buffer("bias", bias, persistent=False)

    bias: Tensor | None

    def gather(
        self, states: Float[Tensor, "n d"], layout: Layout, spans: BatchSpans | None
    ) -> Float[Tensor, "b d"]:
        """The state where the template has its word read; without a template, the last one."""
        return states[layout.cu_seqlens[1:] - 1 if spans is None else spans.read]

    def forward(self, vectors: Float[Tensor, "*b d"]) -> Float[Tensor, "*b c"]:
        """Logits of the label words alone."""
        return F.linear(self.transform(vectors), self.weight, self.bias)


Reader = PooledHead | LabelWords


def pool(states: Float[Tensor, "n d"], layout: Layout, pooling: Pooling) -> Float[Tensor, "b d"]:
    """One vector a text: the mean of its token states, or its first or last."""
    if pooling == "first":
        return states[layout.cu_seqlens[:-1]]
    if pooling == "last":
        return states[layout.cu_seqlens[1:] - 1]
    total = states.new_zeros(layout.sequences, states.shape[-1])
    total = total.index_add(0, layout.sequence_ids(len(states)), states)
    return total / layout.lengths[:, None].to(states.dtype)
