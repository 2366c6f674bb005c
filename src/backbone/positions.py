"""How a token knows where it stands: learned, sinusoidal or rotary positions.

    learned      x + E[p]
    sinusoidal   x + [sin(p / 10000^(2i/d)), cos(p / 10000^(2i/d))]      Vaswani et al. 2017, §3.5
    rotary       q and k turned by the angle p · theta^(-2i/e)          Su et al. 2021, eq. 34

The first two change the input, the third the queries and keys; each leaves the other place alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .. import kernels
from .config import BackboneConfig


class Positions(nn.Module):
    """The scheme that does nothing; the others replace one of its two places."""

    def add(self, x: Float[Tensor, "n d"], positions: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Embeddings with their positions."""
        return x

    def turn(
        self, q: Float[Tensor, "n h e"], k: Float[Tensor, "n g e"], positions: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n h e"], Float[Tensor, "n g e"]]:
        """Queries and keys with their positions."""
        return q, k


class Learned(Positions):
    """A vector for each position, trained with the backbone."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """Make the table (context d)."""
        super().__init__()
        self.table = nn.Embedding(cfg.context, cfg.width)

    def add(self, x: Float[Tensor, "n d"], positions: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """The embeddings and the table's rows: x + E[p]."""
        return x + self.table.weight[positions]


class Sinusoidal(Positions):
    """Fixed waves; sines in the even columns, cosines in the odd ones."""

    table: Tensor

    def __init__(self, cfg: BackboneConfig) -> None:
        """Make the table (context d) in fp32."""
        super().__init__()
        angles = _angles(cfg.context, cfg.width, 10_000.0)
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, : cfg.width]
        self.register_buffer("table", waves, persistent=False)

    def add(self, x: Float[Tensor, "n d"], positions: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """The embeddings and the waves: x + w(p)."""
        return x + self.table[positions].to(x.dtype)


class Rotary(Positions):
    """Angles that make attention depend on distances alone."""

    cos: Tensor
    sin: Tensor

    def __init__(self, cfg: BackboneConfig) -> None:
        """Make the tables (context e/2) in fp32."""
        super().__init__()
        angles = _angles(cfg.context, cfg.head_size, cfg.rope_theta)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def turn(
        self, q: Float[Tensor, "n h e"], k: Float[Tensor, "n g e"], positions: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n h e"], Float[Tensor, "n g e"]]:
        """Queries and keys, rotated."""
        return kernels.rotate(q, k, self.cos, self.sin, positions)


def _angles(positions: int, width: int, theta: float) -> Float[Tensor, "p f"]:
    """Angles p · theta^(-2i/width) for each position and each pair of columns.

    Frequencies and products are rounded to fp32, as in the code that public checkpoints were
    trained with: more exact angles would be other angles than those the weights know.
    """
    frequencies = 1.0 / theta ** (torch.arange(0, width, 2).float() / width)
    return torch.outer(torch.arange(positions).float(), frequencies)


SCHEMES = {"learned": Learned, "sinusoidal": Sinusoidal, "rotary": Rotary}
