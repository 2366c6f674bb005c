"""One layer of the backbone: attention and an MLP, each with its norm, its residual and its ports.

    norm after (BERT)       x = N(x + A(x));   x = N(x + M(x))
    norm before (Llama)     x = x + A(N(x));   x = x + M(N(x));   N at the end
    A   attention over the sequence's own tokens and the keys that stand before them
    M   W_down g(W_up x), or W_down (g(W_gate x) * W_up x)

Source: Vaswani et al. 2017, arXiv:1706.03762, §3; gated MLPs: Shazeer 2020, arXiv:2002.05202.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .. import kernels
from .cache import KVCache
from .config import BackboneConfig
from .layout import Layout
from .ports import Memory
from .positions import Positions


@dataclass(frozen=True)
class ForwardContext:
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

    def forward(
        self, x: Float[Tensor, "n d"], context: ForwardContext, layer: int
    ) -> Float[Tensor, "n d"]:
        """What each token gathers from those it sees."""
        size, local = self.cfg.head_size, self.cfg.is_local(layer)
        q, k, v = (port(x).unflatten(-1, (-1, size)) for port in (self.q, self.k, self.v))
        if self.cfg.head_norms:
            q, k = self.norm_q(q), self.norm_k(k)
        q, k = context.scheme.apply_rotary(q, k, context.positions, local=local)
        if context.cache is not None and context.cache.single and not local:
            seen = context.cache.decode(layer, q, k, v, context.implementation)
            decoded: Tensor = self.o(seen.flatten(-2))
            return decoded
        keys = context.layout
        if context.cache is not None:
            k, v = context.cache.extend(layer, k, v)
            keys = context.cache.layout
        out = kernels.attention(
            q,
            k,
            v,
            cu_seqlens_q=context.layout.cu_seqlens,
            cu_seqlens_k=keys.cu_seqlens,
            causal=self.cfg.causal,
            window=self.cfg.window if local else None,
            prefix_k=None if context.memory is None else context.memory.keys[layer],
            prefix_v=None if context.memory is None else context.memory.values[layer],
            max_seqlen_q=context.layout.max_seqlen,
            max_seqlen_k=keys.max_seqlen,
            implementation=context.implementation,
        )
        gathered: Tensor = self.o(out.flatten(-2))
        return gathered


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "geglu": F.gelu,
    "swiglu": F.silu,
}


class MLP(nn.Module):
    """Two linear maps with an activation between, or three with a gate."""

    def __init__(self, cfg: BackboneConfig) -> None:
        """Maps `up` and `down`, and `gate` where the kind has one."""
        super().__init__()
        if cfg.gated:
            self.gate = make_linear(cfg, "mlp.gate")
        self.up, self.down = make_linear(cfg, "mlp.up"), make_linear(cfg, "mlp.down")
        self.gated, self.activation = cfg.gated, ACTIVATIONS[cfg.mlp]

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Each token by itself."""
        inner = (
            self.activation(self.gate(x)) * self.up(x)
            if self.gated
            else self.activation(self.up(x))
        )
        out: Tensor = self.down(inner)
        return out


class Block(nn.Module):
    """One layer: attention, then MLP, each with its norm, its residual and a port after it."""

    def __init__(self, cfg: BackboneConfig, layer: int) -> None:
        """Make the two sublayers."""
        super().__init__()
        self.before = cfg.norm_place == "before"
        self.attn, self.mlp = Attention(cfg), MLP(cfg)
        self.norm_attn = make_norm(cfg) if layer or cfg.first_norm else nn.Identity()
        self.norm_mlp = make_norm(cfg)
        self.after_attn, self.after_mlp, self.after = (nn.Identity() for _ in range(3))

    def forward(
        self, x: Float[Tensor, "n d"], context: ForwardContext, layer: int
    ) -> Float[Tensor, "n d"]:
        """One step deeper."""
        if self.before:
            x = x + self.after_attn(self.attn(self.norm_attn(x), context, layer))
            out: Tensor = self.after(x + self.after_mlp(self.mlp(self.norm_mlp(x))))
            return out
        x = self.norm_attn(x + self.after_attn(self.attn(x, context, layer)))
        out = self.after(self.norm_mlp(x + self.after_mlp(self.mlp(x))))
        return out


def make_linear(cfg: BackboneConfig, site: str) -> nn.Linear:
    """A block's linear map, with a bias where the configuration says so."""
    return nn.Linear(*cfg.linear(site), bias=cfg.biased(site))


def make_norm(cfg: BackboneConfig, size: int | None = None) -> nn.Module:
    """The norm that the configuration names, over the width or another size."""
    if cfg.norm == "rms":
        return nn.RMSNorm(size or cfg.width, eps=cfg.epsilon)
    return nn.LayerNorm(size or cfg.width, eps=cfg.epsilon, bias=cfg.norm_bias)
