"""How a token knows where it stands: learned, sinusoidal or rotary positions.

    learned      x + E[p]
    sinusoidal   x + [sin(p / 10000^(2i/d)), cos(p / 10000^(2i/d))]      Vaswani et al. 2017, §3.5
    rotary       q and k turned by the angle p · theta^(-2i/e)          Su et al. 2021, eq. 34

The first two change the input, the third the queries and keys; each leaves the other place alone.
Rotary angles may be scaled_frequencies for longer texts, see `stretching.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .. import kernels
from .config import BackboneConfig
from .rope_scaling import frequencies, scaled_frequencies


class Positions(nn.Module):
    """The scheme that does nothing; the others replace one of its two places."""

    def add(self, x: Float[Tensor, "n d"], positions: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """Embeddings with their positions."""
        return x

    def apply_rotary(
        self,
        q: Float[Tensor, "n h e"],
        k: Float[Tensor, "n g e"],
        positions: Int[Tensor, " n"],
        *,
        local: bool = False,
    ) -> tuple[Float[Tensor, "n h e"], Float[Tensor, "n g e"]]:
        """Queries and keys with their positions; a local layer may have angles of its own."""
        return q, k

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Move the tables, but leave them in fp32: rounded angles would be other angles."""
        before = dict(self.named_buffers())
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, table in before.items():
            now = self.get_buffer(name)
            if now.dtype != table.dtype:
                setattr(self, name, table.to(now.device))
        return self


class Learned(Positions):
    """A vector for each position, trained with the backbone."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """Make the table (context d), with the rows that stand before the first position."""
        super().__init__()
        self.first = cfg.first_position
        self.table = nn.Embedding(cfg.first_position + cfg.context, cfg.width)

    def add(self, x: Float[Tensor, "n d"], positions: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """The embeddings and the table's rows: x + E[p]."""
        shifted: Tensor = self.table(positions + self.first)
        return x + shifted


class Sinusoidal(Positions):
    """Fixed waves; sines in the even columns, cosines in the odd ones."""

    table: Tensor

    def __init__(self, cfg: BackboneConfig) -> None:
        """Make the table (context d) in fp32, its angles in float64."""
        super().__init__()
        columns = torch.arange(0, cfg.width, 2).double()
        frequencies = 10_000.0 ** (-columns / cfg.width)
        angles = torch.outer(torch.arange(cfg.context).double(), frequencies)
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, : cfg.width]
        self.register_buffer("table", waves.float(), persistent=False)

    def add(self, x: Float[Tensor, "n d"], positions: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """The embeddings and the waves: x + w(p)."""
        return x + self.table[positions].to(x.dtype)


class Rotary(Positions):
    """Angles that make attention depend on distances alone."""

    cos: Tensor
    sin: Tensor
    local_cos: Tensor
    local_sin: Tensor

    def __init__(self, cfg: BackboneConfig) -> None:
        """Make the tables (context e/2) in fp32, and others for layers with their own theta."""
        super().__init__()
        self.cfg = cfg
        self._tables("", scaled_frequencies(cfg.head_size, cfg.rope_theta, cfg.rope_scaling))
        if cfg.local_theta is not None:
            self._tables("local_", frequencies(cfg.head_size, cfg.local_theta))

    def _tables(self, name: str, frequencies: Float[Tensor, " f"]) -> None:
        angles = _angles(self.cfg.context, frequencies)
        self.register_buffer(f"{name}cos", angles.cos(), persistent=False)
        self.register_buffer(f"{name}sin", angles.sin(), persistent=False)

    def apply_rotary(
        self,
        q: Float[Tensor, "n h e"],
        k: Float[Tensor, "n g e"],
        positions: Int[Tensor, " n"],
        *,
        local: bool = False,
    ) -> tuple[Float[Tensor, "n h e"], Float[Tensor, "n g e"]]:
        """Queries and keys, rotated."""
        if local and self.cfg.local_theta is not None:
            return kernels.rotate(q, k, self.local_cos, self.local_sin, positions)
        scaling = self.cfg.dynamic
        if scaling is None:
            return kernels.rotate(q, k, self.cos, self.sin, positions)
        # Dynamic angles depend on the longest text of the batch: a row of the table for each token.
        length = (positions.max() + 1).float()
        frequencies = scaled_frequencies(self.cfg.head_size, self.cfg.rope_theta, scaling, length)
        angles = torch.outer(positions.float(), frequencies)
        rows = torch.arange(len(positions), device=positions.device)
        return kernels.rotate(q, k, angles.cos(), angles.sin(), rows)


def _angles(positions: int, frequencies: Float[Tensor, " f"]) -> Float[Tensor, "p f"]:
    """Angles p · frequency for each position and each pair of columns.

    Frequencies and products are rounded to fp32, as in the code that public checkpoints were
    trained with: more exact angles would be other angles than those the weights know.
    """
    return torch.outer(torch.arange(positions).float(), frequencies)


SCHEMES = {"learned": Learned, "sinusoidal": Sinusoidal, "rotary": Rotary}
