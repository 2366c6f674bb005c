"""The backbone: one transformer on one page, encoder or decoder by configuration.

    norm after (BERT)       x = N(x + A(x));   x = N(x + M(x))
    norm before (Llama)     x = x + A(N(x));   x = x + M(N(x));   N at the end
    A   attention over the sequence's own tokens and the keys that stand before them
    M   W_down g(W_up x), or W_down (g(W_gate x) * W_up x)

Tokens travel packed (n d) with their `Layout`: padding is never computed. Every place where a
method may change something is a named submodule, a port (see `ports.py`).

Source: Vaswani et al. 2017, arXiv:1706.03762, §3; gated MLPs: Shazeer 2020, arXiv:2002.05202.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .. import kernels
from ..errors import UserError
from .cache import KVCache
from .config import BackboneConfig
from .layout import Layout, pack
from .ports import Empty, Memory, Pass
from .positions import SCHEMES, Positions


@dataclass(frozen=True)
class Flow:
    """What one forward pass tells each layer besides the tokens."""

    layout: Layout
    positions: Tensor
    scheme: Positions
    memory: Memory | None
    cache: KVCache | None
    implementation: kernels.Implementation


class Attention(nn.Module):
    """Grouped-query attention; there may be keys before mine."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """Four linear maps, q, k, v and o, and norms of q and k where they are configured."""
        super().__init__()
        self.cfg = cfg
        self.q, self.k, self.v, self.o = (make_linear(cfg, f"attn.{name}") for name in "qkvo")
        if cfg.head_norms:
            self.norm_q, self.norm_k = (make_norm(cfg, cfg.head_size) for _ in range(2))

    def forward(self, x: Float[Tensor, "n d"], flow: Flow, layer: int) -> Float[Tensor, "n d"]:
        """What each token gathers from those it sees."""
        size, local = self.cfg.head_size, self.cfg.is_local(layer)
        q, k, v = (port(x).unflatten(-1, (-1, size)) for port in (self.q, self.k, self.v))
        if self.cfg.head_norms:
            q, k = self.norm_q(q), self.norm_k(k)
        q, k = flow.scheme.turn(q, k, flow.positions, local=local)
        if flow.cache is not None and flow.cache.single and not local:
            seen = flow.cache.decode(layer, q, k, v, flow.implementation)
            decoded: Tensor = self.o(seen.flatten(-2))
            return decoded
        keys = flow.layout
        if flow.cache is not None:
            k, v = flow.cache.extend(layer, k, v)
            keys = flow.cache.layout
        out = kernels.attention(
            q,
            k,
            v,
            cu_q=flow.layout.cu,
            cu_k=keys.cu,
            causal=self.cfg.causal,
            window=self.cfg.window if local else None,
            prefix_k=None if flow.memory is None else flow.memory.keys[layer],
            prefix_v=None if flow.memory is None else flow.memory.values[layer],
            longest_q=flow.layout.longest,
            longest_k=keys.longest,
            implementation=flow.implementation,
        )
        gathered: Tensor = self.o(out.flatten(-2))
        return gathered


BENDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "geglu": F.gelu,
    "swiglu": F.silu,
}


class MLP(nn.Module):
    """Two linear maps with a bend between, or three with a gate."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """Maps `up` and `down`, and `gate` where the kind has one."""
        super().__init__()
        if cfg.gated:
            self.gate = make_linear(cfg, "mlp.gate")
        self.up, self.down = make_linear(cfg, "mlp.up"), make_linear(cfg, "mlp.down")
        self.gated, self.bend = cfg.gated, BENDS[cfg.mlp]

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Each token by itself."""
        inner = self.bend(self.gate(x)) * self.up(x) if self.gated else self.bend(self.up(x))
        out: Tensor = self.down(inner)
        return out


class Block(nn.Module):
    """One layer: attention, then MLP, each with its norm, its residual and a port behind it."""

    def __init__(self, cfg: BackboneConfig, layer: int) -> None:
        """Make the two sublayers."""
        super().__init__()
        self.before = cfg.norm_place == "before"
        self.attn, self.mlp = Attention(cfg), MLP(cfg)
        self.norm_attn = make_norm(cfg) if layer or cfg.first_norm else nn.Identity()
        self.norm_mlp = make_norm(cfg)
        self.after_attn, self.after_mlp, self.after = (nn.Identity() for _ in range(3))

    def forward(self, x: Float[Tensor, "n d"], flow: Flow, layer: int) -> Float[Tensor, "n d"]:
        """One step deeper."""
        if self.before:
            x = x + self.after_attn(self.attn(self.norm_attn(x), flow, layer))
            out: Tensor = self.after(x + self.after_mlp(self.mlp(self.norm_mlp(x))))
            return out
        x = self.norm_attn(x + self.after_attn(self.attn(x, flow, layer)))
        out = self.after(self.norm_mlp(x + self.after_mlp(self.mlp(x))))
        return out


class Backbone(nn.Module):
    """Token ids in, final hidden states out."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """A backbone with fresh weights (normal, deviation 0.02, as BERT and GPT-2 begin)."""
        super().__init__()
        self.cfg = cfg
        self.implementation: kernels.Implementation = "auto"
        self.tuned_by: str | None = None
        self.words = nn.Embedding(cfg.vocabulary, cfg.width)
        self.prompt, self.memory = Pass(), Empty()
        self.positions: Positions = SCHEMES[cfg.positions](cfg)
        self.segments = nn.Embedding(cfg.segments, cfg.width) if cfg.segments else None
        self.norm_words = make_norm(cfg) if cfg.embedding_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(cfg, layer) for layer in range(cfg.layers))
        self.norm = make_norm(cfg) if cfg.norm_place == "before" else nn.Identity()
        self.apply(_fresh)

    def forward(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None = None,
        token_type_ids: Int[Tensor, "b t"] | None = None,
    ) -> Float[Tensor, "b t d"]:
        """Final hidden states of a padded batch, zeros where the mask is 0.

        Positions are numbered as transformers numbers them: by column, padding on either side
        included, or by token where the configuration says so.
        """
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        self._fits(input_ids.shape[1])
        layout, places, columns = pack(mask.bool())
        segments = None if token_type_ids is None else token_type_ids.flatten()[places]
        counted = self.cfg.count_padding
        shift = columns - layout.positions(len(places)) if counted else None
        states = self.encode(input_ids.flatten()[places], layout, segments=segments, shift=shift)
        out = states.new_zeros(input_ids.numel(), states.shape[-1]).index_copy(0, places, states)
        return out.view(*input_ids.shape, -1)

    def encode(
        self,
        ids: Int[Tensor, " n"],
        layout: Layout,
        *,
        segments: Int[Tensor, " n"] | None = None,
        shift: Int[Tensor, " n"] | None = None,
        cache: KVCache | None = None,
        slots: Int[Tensor, "b s"] | None = None,
    ) -> Float[Tensor, "n d"]:
        """Final hidden states of packed text tokens; inserted tokens are left out again.

        Args:
            ids: The text's token ids, all sequences one behind the other.
            layout: Where sequences begin and end.
            segments: Each token's segment, 0 by default.
            shift: How far each text token's position lies behind its place.
            cache: What earlier calls read; it is extended. The prompt stands in the first call.
            slots: For each sequence the text tokens, counted through all sequences, before which
                the prompt's tokens stand, in rising order; none: before the first.
        """
        x, places = self.words(ids), None
        started = cache is not None and not cache.empty
        if not started:
            x, layout, places = self.prompt(x, layout, slots)
        memory = cache.memory if cache is not None and started else self.memory()
        start = memory.start if memory is not None else 0
        whole = layout if cache is None else cache.after(layout, len(x))
        self._fits(start + whole.longest)
        if cache is None:
            positions = layout.positions(len(x)) + start
        else:
            positions = cache.advance(layout, len(x), memory) + start
        if shift is not None:
            positions = positions + (shift if places is None else _spread(shift, places, len(x)))
        x = self._embed(x, positions, segments, places)
        flow = Flow(layout, positions, self.positions, memory, cache, self.implementation)
        for layer, block in enumerate(self.blocks):
            x = block(x, flow, layer)
        final: Tensor = self.norm(x if places is None else x[places])
        return final

    def _fits(self, positions: int) -> None:
        if positions > self.cfg.context:
            raise UserError(
                "`prompt + text <= context` must hold, "
                f"but got {positions} positions in a context of {self.cfg.context}"
            )

    def _embed(
        self, x: Tensor, positions: Tensor, segments: Tensor | None, places: Tensor | None
    ) -> Float[Tensor, "n d"]:
        """Words with positions and segments; inserted tokens belong to segment 0."""
        x = self.positions.add(x, positions)
        if self.segments is not None:
            if segments is None or self.cfg.segments == 1:
                x = x + self.segments.weight[0]
            else:
                own = segments if places is None else _spread(segments, places, len(x))
                x = x + self.segments(own)
        normed: Tensor = self.norm_words(x)
        return normed


def _spread(values: Tensor, places: Tensor, tokens: int) -> Tensor:
    """The text tokens' values at their places among `tokens`, zeros for the inserted ones."""
    return values.new_zeros(tokens).index_copy(0, places, values)


def make_linear(cfg: BackboneConfig, site: str) -> nn.Linear:
    """A block's linear map, with a bias where the configuration says so."""
    return nn.Linear(*cfg.linear(site), bias=cfg.biased(site))


def make_norm(cfg: BackboneConfig, size: int | None = None) -> nn.Module:
    """The norm that the configuration names, over the width or another size."""
    if cfg.norm == "rms":
        return nn.RMSNorm(size or cfg.width, eps=cfg.epsilon)
    return nn.LayerNorm(size or cfg.width, eps=cfg.epsilon, bias=cfg.norm_bias)


def _fresh(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
