"""The shape of a backbone in numbers, and how many weights that makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .counts import check_counts, check_positive

ScalingKind = Literal["linear", "dynamic", "llama3"]
COUNTS = ("vocabulary", "width", "layers", "heads", "key_heads", "head_size", "hidden", "context")
"""Settings of a backbone that say how many of something there are."""

MOST = {"layers": 10_000, "context": 2**22}
"""Far more than any network has: what a damaged file claims must not become so many modules, or
so many rows of a table of angles."""


@dataclass(frozen=True)
class RopeScaling:
    """How rotary angles are stretched for texts longer than those of pretraining."""

    kind: ScalingKind
    factor: float
    trained: int
    """Positions of pretraining, from which `dynamic` and `llama3` reckon."""
    low: float = 1.0
    """llama3: frequencies of fewer turns than this over `trained` are divided by the factor."""
    high: float = 4.0
    """llama3: frequencies of more turns than this stay; between both it is blended."""

    def __post_init__(self) -> None:
        """Refuse numbers that stretch nothing."""
        check_counts({"trained": self.trained})
        check_positive({"factor": self.factor, "low": self.low, "high": self.high})
        if self.kind == "llama3" and not self.low < self.high:
            raise ValueError(f"`low < high` must hold, but got (low={self.low}, high={self.high})")


@dataclass(frozen=True)
class HeadShape:
    """What a masked language model's head does beside its table: H N(g(W h)) + b."""

    activation: Literal["gelu", "gelu_tanh"]
    dense_bias: bool
    bias: bool
    """Whether each word of the vocabulary has one."""


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
    mlp: Literal["gelu", "gelu_tanh", "geglu", "swiglu"]
    bias: bool | tuple[str, ...]
    """Whether linear maps have one: all, none, or those named as `sites` names them."""
    segments: int = 0
    """Segment embeddings (BERT's token types); 0 means none."""
    embedding_norm: bool = False
    epsilon: float = 1e-12
    norm_bias: bool = True
    """Whether layer norms have a bias (ModernBERT's have none)."""
    first_norm: bool = True
    """Whether the first block has a norm before its attention (ModernBERT's has none)."""
    head_norms: bool = False
    """Whether the queries and keys of each head are normed before they are rotated (Qwen3)."""
    first_position: int = 0
    """Rows of the learned table before the first position (RoBERTa: its padding's and one more)."""
    count_padding: bool = True
    """Whether a padded batch numbers positions by column; RoBERTa numbers its tokens alone."""
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    local: tuple[bool, ...] = ()
    """Which layers see only the keys within `window`; those not named see all."""
    window: int | None = None
    """Keys that a local layer sees on either side of a query, itself not counted."""
    local_theta: float | None = None
    """`rope_theta` of local layers; none means the same."""
    tied: bool = True
    """Whether the language head is the words' own table; without, the checkpoint has another."""
    head: HeadShape | None = None
    """What the language head has beside its table; none: nothing."""

    def __post_init__(self) -> None:
        """Refuse shapes that no attention can have."""
        check_counts({name: getattr(self, name) for name in COUNTS})
        for name, most in MOST.items():
            if getattr(self, name) > most:
                raise ValueError(
                    f"`{name} <= {most}` must hold, but got ({name}={getattr(self, name)})"
                )
        check_positive({"epsilon": self.epsilon, "rope_theta": self.rope_theta})
        if self.heads % self.key_heads:
            raise ValueError(
                "`heads % key_heads == 0` must hold, "
                f"but got (heads={self.heads}, key_heads={self.key_heads})"
            )
        if self.positions == "rotary" and self.head_size % 2:
            raise ValueError(f"`head_size` must be even to rotate, but got {self.head_size}")
        if not self.first_norm and self.norm_place == "after":
            raise ValueError("only with norm_place=before may the first block lack a norm")

    @property
    def gated(self) -> bool:
        """Whether the MLP multiplies by a gate."""
        return self.mlp in ("geglu", "swiglu")

    def is_local(self, layer: int) -> bool:
        """Whether a layer sees only the keys within `window`."""
        return self.window is not None and layer < len(self.local) and self.local[layer]

    def biased(self, site: str) -> bool:
        """Whether a block's linear map has a bias."""
        return self.bias if isinstance(self.bias, bool) else site in self.bias

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
        """Weights of one norm over the width."""
        return self.width * (2 if self.norm_biased else 1)

    @property
    def norms(self) -> tuple[str, ...]:
        """Patterns of every norm over the width."""
        words = ("norm_embedding",) if self.embedding_norm else ()
        last = ("norm",) if self.norm_place == "before" else ()
        return (*words, "blocks.*.norm_attn", "blocks.*.norm_mlp", *last)

    @property
    def block_norms(self) -> int:
        """How many norms over the width the blocks have."""
        return 2 * self.layers - (0 if self.first_norm else 1)

    @property
    def norm_count(self) -> int:
        """How many norms over the width there are."""
        return self.block_norms + int(self.embedding_norm) + int(self.norm_place == "before")

    @property
    def norm_biased(self) -> bool:
        """Whether norms have a bias."""
        return self.norm == "layer" and self.norm_bias

    @property
    def dynamic(self) -> RopeScaling | None:
        """The scaling whose angles depend on how long a text is, if it is that one."""
        scaling = self.rope_scaling
        return scaling if scaling is not None and scaling.kind == "dynamic" else None

    @property
    def can_prefill(self) -> bool:
        """Whether what stands before every text can be read once.

        First tokens must see nothing after them, be seen whole by all that follow (no window),
        and turn by the same angles however long the text is (no dynamic scaling).
        """
        windows = any(map(self.is_local, range(self.layers)))
        return self.causal and not windows and not self.dynamic

    @property
    def cached_context(self) -> int:
        """Positions that a cache can hold: what was read must stay as it is when more is read.

        Dynamic angles are the same for all lengths up to those of pretraining, and no further.
        """
        return self.dynamic.trained if self.dynamic else self.context

    def parameters(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every weight's name and shape, as `Backbone.named_parameters` has them.

        A generator, so that whoever looks for them in a file stops at the first that is not there,
        however many layers a damaged file claims to have.
        """
        yield "embedding.weight", (self.vocabulary, self.width)
        if self.positions == "learned":
            yield "positions.table.weight", (self.first_position + self.context, self.width)
        if self.segments:
            yield "segments.weight", (self.segments, self.width)
        if self.embedding_norm:
            yield from self._norm("norm_embedding", self.width)
        for layer in range(self.layers):
            yield from self._block(layer)
        if self.norm_place == "before":
            yield from self._norm("norm", self.width)

    def _block(self, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        block = f"blocks.{layer}"
        for site in self.sites:
            width_in, width_out = self.linear(site)
            yield f"{block}.{site}.weight", (width_out, width_in)
            if self.biased(site):
                yield f"{block}.{site}.bias", (width_out,)
        if self.head_norms:
            yield from self._norm(f"{block}.attn.norm_q", self.head_size)
            yield from self._norm(f"{block}.attn.norm_k", self.head_size)
        if layer or self.first_norm:
            yield from self._norm(f"{block}.norm_attn", self.width)
        yield from self._norm(f"{block}.norm_mlp", self.width)

    def _norm(self, name: str, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (size,)
        if self.norm_biased:
            yield f"{name}.bias", (size,)

    def count(self) -> int:
        """Weights of the whole backbone, in closed form."""
        maps = sum(a * b for a, b in map(self.linear, self.sites))
        maps += sum(self.linear(site)[1] for site in self.sites if self.biased(site))
        per_head = self.head_size * (2 if self.norm_biased else 1)
        heads = 2 * per_head if self.head_norms else 0
        embeddings = (self.vocabulary + self.segments) * self.width
        if self.positions == "learned":
            embeddings += (self.first_position + self.context) * self.width
        return embeddings + self.layers * (maps + heads) + self.norm_count * self.norm_size
