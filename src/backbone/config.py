"""The shape of a backbone in numbers, and how many weights that makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BackboneConfig:
    """One transformer: encoder or decoder, by configuration."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    key_heads: int
    """Heads of keys and values; fewer than `heads` in grouped-query attention."""
    head_size: int
    hidden: int
    """Width inside the MLP."""
    context: int
    """Most positions; with learned positions a hard limit."""
    causal: bool
    positions: Literal["learned", "rotary", "sinusoidal"]
    norm: Literal["layer", "rms"]
    norm_place: Literal["before", "after"]
    """Before each sublayer with one more norm at the end, or after each residual sum."""
    mlp: Literal["gelu", "geglu", "swiglu"]
    bias: bool
    """Whether linear maps have one."""
    segments: int = 0
    """Segment embeddings (BERT's token types); 0 means none."""
    embedding_norm: bool = False
    epsilon: float = 1e-12
    rope_theta: float = 10_000.0
    tied: bool = True
    """Whether the language head is the words' own table; without, the checkpoint has another."""

    def __post_init__(self) -> None:
        """Refuse shapes that no attention can have."""
        if self.heads % self.key_heads:
            raise ValueError(
                "`heads % key_heads == 0` must hold, "
                f"but got (heads={self.heads}, key_heads={self.key_heads})"
            )
        if self.positions == "rotary" and self.head_size % 2:
            raise ValueError(f"`head_size` must be even to rotate, but got {self.head_size}")

    @property
    def gated(self) -> bool:
        """Whether the MLP multiplies by a gate."""
        return self.mlp != "gelu"

    def linear(self, site: str) -> tuple[int, int]:
        """Widths (in, out) of a block's linear map, named as its port: "attn.q", "mlp.down" …."""
        query, key = self.heads * self.head_size, self.key_heads * self.head_size
        widths = {
            "attn.q": (self.width, query),
            "attn.k": (self.width, key),
            "attn.v": (self.width, key),
            "attn.o": (query, self.width),
            "mlp.up": (self.width, self.hidden),
            "mlp.down": (self.hidden, self.width),
        }
        if self.gated:
            widths["mlp.gate"] = (self.width, self.hidden)
        if site not in widths:
            raise ValueError(f"no linear map '{site}' in a block (there are: {', '.join(widths)})")
        return widths[site]

    @property
    def sites(self) -> tuple[str, ...]:
        """Every linear map of a block, as `linear` names them."""
        gate = ("mlp.gate",) if self.gated else ()
        return ("attn.q", "attn.k", "attn.v", "attn.o", *gate, "mlp.up", "mlp.down")

    @property
    def norm_size(self) -> int:
        """Weights of one norm."""
        return self.width * (2 if self.norm == "layer" else 1)

    def biased(self, site: str) -> bool:
        """Whether a block's linear map has a bias."""
        return self.bias

    @property
    def norms(self) -> tuple[str, ...]:
        """Patterns of every norm there is."""
        words = ("norm_words",) if self.embedding_norm else ()
        last = ("norm",) if self.norm_place == "before" else ()
        return (*words, "blocks.*.norm_attn", "blocks.*.norm_mlp", *last)

    @property
    def reads_ahead(self) -> bool:
        """Whether what stands before every text can be read once.

        Tokens in front must see nothing behind them, and be seen whole by all that follow.
        """
        return self.causal

    @property
    def norm_biased(self) -> bool:
        """Whether norms have a bias."""
        return self.norm == "layer"

    @property
    def block_norms(self) -> int:
        """How many norms the blocks have."""
        return 2 * self.layers

    @property
    def norm_count(self) -> int:
        """How many norms there are."""
        return self.block_norms + int(self.embedding_norm) + int(self.norm_place == "before")

    def count(self) -> int:
        """Weights of the whole backbone, in closed form."""
        shapes = [self.linear(site) for site in self.sites]
        maps = sum(a * b + (b if self.bias else 0) for a, b in shapes)
        embeddings = (self.vocabulary + self.segments) * self.width
        if self.positions == "learned":
            embeddings += self.context * self.width
        return embeddings + self.layers * maps + self.norm_count * self.norm_size
