"""Which token comes next: the likeliest, or one drawn from what the logits say.

    p = softmax(logits / temperature), of which only the top_k likeliest stay, and of those only the
    fewest whose mass reaches top_p (nucleus); what stays is drawn in proportion

Source: nucleus: Holtzman et al. 2020, arXiv:1904.09751, §3.1; top-k: Fan et al. 2018,
arXiv:1805.04833, §5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import UserError


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; temperature 0 takes the likeliest."""

    temperature: float = 1.0
    """Divides the logits: below 1 the likely ones gain."""
    top_k: int | None = None
    """Only so many of the likeliest."""
    top_p: float | None = None
    """Only the likeliest, until their mass reaches this share."""
    seed: int = 0
    """Each text has a stream of random numbers of its own, from this seed and its place."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        self._require(0 <= self.temperature < float("inf"), "temperature >= 0", "temperature")
        self._require(self.top_k is None or self.top_k >= 1, "top_k >= 1", "top_k")
        self._require(self.top_p is None or 0 < self.top_p <= 1, "0 < top_p <= 1", "top_p")
        self._require(0 <= self.seed < 2**63, "0 <= seed < 2**63", "seed")

    def _require(self, holds: bool, condition: str, name: str) -> None:
        if not holds:
            raise UserError(f"`{condition}` must hold, but got ({name}={getattr(self, name)})")


GREEDY = Sampling(temperature=0.0)


class Sampler:
    """Draws tokens for b texts, each from its own stream: others in the batch change nothing."""

    def __init__(self, how: Sampling, texts: int) -> None:
        """Begin the streams."""
        self.how = how
        self._streams = [_stream(how.seed, text) for text in range(texts)]

    def draw(self, logits: Float[Tensor, "r v"], texts: Sequence[int]) -> Int[Tensor, " r"]:
        """The next token of each of these texts."""
        if self.how.temperature == 0:
            return logits.argmax(-1)
        shares = [torch.rand((), generator=self._streams[n], dtype=torch.float64) for n in texts]
        p, order = (logits.double() / self.how.temperature).softmax(-1).sort(-1, descending=True)
        below = p.cumsum(-1)
        last = self._kept(p, below) - 1
        # The inverse of the cumulative distribution at a share of the mass that is kept.
        share = torch.stack(shares).to(logits.device)[:, None] * below.gather(-1, last)
        rank = torch.searchsorted(below, share, right=True).clamp(max=last)
        return order.gather(-1, rank).flatten()

    def _kept(self, p: Tensor, below: Tensor) -> Int[Tensor, "r 1"]:
        """How many of the likeliest may be drawn, given their shares in falling order."""
        most = min(self.how.top_k or p.shape[-1], p.shape[-1])
        if self.how.top_p is None:
            return torch.full_like(below[:, :1], most, dtype=torch.int64)
        mass = below[:, most - 1 : most] * self.how.top_p
        return ((below - p)[:, :most] < mass).sum(-1, keepdim=True)


def _stream(seed: int, text: int) -> torch.Generator:
    """Random numbers on the CPU, so that a seed means the same on every device."""
    return torch.Generator().manual_seed((seed + 0x9E3779B97F4A7C15 * text) % 2**63)
