"""The architectures of GGUF files that are read: llama.cpp's names of settings and tensors in ours.

Mistral's files are of architecture llama, RoBERTa's of bert (the rows of its positions that no
token takes are cut off).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...backbone.config import BackboneConfig, HeadShape, RopeScaling
from ...errors import UserError
from ..families import Names, Part
from ..families.settings import reach
from .settings import Settings

_BLOCK: Names = {
    "blocks.*.attn.q": "blk.*.attn_q",
    "blocks.*.attn.k": "blk.*.attn_k",
    "blocks.*.attn.v": "blk.*.attn_v",
    "blocks.*.attn.o": "blk.*.attn_output",
    "blocks.*.mlp.up": "blk.*.ffn_up",
    "blocks.*.mlp.down": "blk.*.ffn_down",
}
_LLAMA: Names = {
    **_BLOCK,
    "embedding": "token_embd",
    "blocks.*.attn.norm_q": "blk.*.attn_q_norm",
    "blocks.*.attn.norm_k": "blk.*.attn_k_norm",
    "blocks.*.mlp.gate": "blk.*.ffn_gate",
    "blocks.*.norm_attn": "blk.*.attn_norm",
    "blocks.*.norm_mlp": "blk.*.ffn_norm",
    "norm": "output_norm",
    "head": "output",
}
_GPT2: Names = {
    **_BLOCK,
    "embedding": "token_embd",
    "positions.table": "position_embd",
    "blocks.*.attn.q": Part("blk.*.attn_qkv", 0, 3),
    "blocks.*.attn.k": Part("blk.*.attn_qkv", 1, 3),
    "blocks.*.attn.v": Part("blk.*.attn_qkv", 2, 3),
    "blocks.*.norm_attn": "blk.*.attn_norm",
    "blocks.*.norm_mlp": "blk.*.ffn_norm",
    "norm": "output_norm",
    "head": "output",
}
_BERT: Names = {
    **_BLOCK,
    "embedding": "token_embd",
    "positions.table": "position_embd",
    "segments": "token_types",
    "norm_embedding": "token_embd_norm",
    "blocks.*.norm_attn": "blk.*.attn_output_norm",
    "blocks.*.norm_mlp": "blk.*.layer_output_norm",
    # The format keeps no head of a masked language model: these are never found.
    "head": "predictions.decoder",
    "head.dense": "predictions.dense",
    "head.norm": "predictions.norm",
}


@dataclass(frozen=True)
class Architecture:
    """Files of one `general.architecture`."""

    configure: Callable[[Settings], BackboneConfig]
    """Its metadata, without the architecture's name before them, in ours."""
    names: Names
    neighbours: bool = False
    """Whether rows of q and k are stored with rotated pairs as neighbours."""


def _llama(settings: Settings) -> BackboneConfig:
    """Llama's settings, without the architecture's name before them."""
    heads, width = settings["attention.head_count"], settings["embedding_length"]
    size = (
        settings.get("attention.key_length")
        or settings.get("rope.dimension_count")
        or width // heads
    )
    if settings.get("rope.dimension_count", size) != size:
        raise UserError("heads that are rotated in part are not supported")
    settings.only(attention__value_length=size, attention__causal=True)
    scaling = _scaling(settings)
    cfg = BackboneConfig(
        vocabulary=settings.vocabulary,
        width=width,
        layers=settings["block_count"],
        heads=heads,
        key_heads=settings.get("attention.head_count_kv", heads),
        head_size=size,
        hidden=settings["feed_forward_length"],
        context=reach(settings["context_length"], scaling),
        causal=True,
        positions="rotary",
        norm="rms",
        norm_place="before",
        mlp="swiglu",
        bias=False,
        epsilon=settings["attention.layer_norm_rms_epsilon"],
        rope_theta=settings.get("rope.freq_base", 10_000.0),
        rope_scaling=scaling,
    )
    window = settings.get("attention.sliding_window")
    return cfg if not window else replace(cfg, window=window - 1, local=(True,) * cfg.layers)


def _scaling(settings: Settings) -> RopeScaling | None:
    """How rotary angles are scaled: as llama.cpp reads it, a factor alone means linear scaling.

    Files of 2023 have the factor under another key. llama.cpp takes 0 for none.
    """
    newer, older = settings.get("rope.scaling.factor"), settings.get("rope.scale_linear")
    factor = older if newer is None else newer
    kind = settings.get("rope.scaling.type", "none" if factor is None else "linear")
    if kind not in ("none", "linear"):
        raise UserError(f"rope.scaling.type={kind!r} is not supported (known: none, linear)")
    settings.only(rope__scaling__attn_factor=1.0)
    if kind == "none":
        return None
    if factor is None:
        raise KeyError("rope.scaling.factor")
    if factor in (0.0, 1.0):
        return None
    return RopeScaling("linear", factor, settings["context_length"])


def _gpt2(settings: Settings) -> BackboneConfig:
    """GPT-2's settings in ours."""
    settings.only(attention__causal=True)
    return _absolute(settings)


def _absolute(settings: Settings) -> BackboneConfig:
    """What GPT-2 and BERT have in common: learned positions, plain layer norms, biases."""
    heads, width = settings["attention.head_count"], settings["embedding_length"]
    # Newer converters write these wherever config.json has them.
    settings.only(attention__head_count_kv=heads)
    settings.only(attention__key_length=width // heads, attention__value_length=width // heads)
    return BackboneConfig(
        vocabulary=settings.vocabulary,
        width=width,
        layers=settings["block_count"],
        heads=heads,
        key_heads=heads,
        head_size=width // heads,
        hidden=settings["feed_forward_length"],
        context=settings["context_length"],
        causal=True,
        positions="learned",
        norm="layer",
        norm_place="before",
        mlp="gelu_tanh",
        bias=True,
        epsilon=settings["attention.layer_norm_epsilon"],
    )


def _bert(settings: Settings) -> BackboneConfig:
    """BERT's settings in ours."""
    settings.only(attention__causal=False)
    segments = settings.get("tokenizer.ggml.token_type_count", 2)
    return replace(
        _absolute(settings),
        causal=False,
        norm_place="after",
        mlp="gelu",
        segments=segments,
        embedding_norm=True,
        head=HeadShape(activation="gelu", dense_bias=True, bias=True),
    )


ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": Architecture(_llama, _LLAMA, neighbours=True),
    "qwen2": Architecture(
        lambda settings: replace(_llama(settings), bias=("attn.q", "attn.k", "attn.v")), _LLAMA
    ),
    "qwen3": Architecture(lambda settings: replace(_llama(settings), head_norms=True), _LLAMA),
    "gpt2": Architecture(_gpt2, _GPT2),
    "bert": Architecture(_bert, _BERT),
}
