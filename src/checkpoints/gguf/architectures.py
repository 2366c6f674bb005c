"""The architectures of GGUF files that are read: llama.cpp's names of settings and tensors in ours.

Mistral's files are of architecture llama, RoBERTa's of bert (the rows of its positions that no
token takes are cut off).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...backbone.config import BackboneConfig, HeadShape, RopeScaling
from ...errors import UserError
from ..families import Names, Part
from ..families.settings import reach

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

    configure: Callable[[Mapping[str, Any]], BackboneConfig]
    """Its metadata, without the architecture's name before them, in ours."""
    names: Names
    neighbours: bool = False
    """Whether rows of q and k are stored with rotated pairs as neighbours."""


def _llama(own: Mapping[str, Any]) -> BackboneConfig:
    """Llama's settings, without the architecture's name before them."""
    heads, width = own["attention.head_count"], own["embedding_length"]
    size = own.get("attention.key_length") or own.get("rope.dimension_count") or width // heads
    if own.get("rope.dimension_count", size) != size:
        raise UserError("heads that are rotated in part are not supported")
    scaling = _scaling(own)
    cfg = BackboneConfig(
        vocabulary=len(own["tokenizer.ggml.tokens"]),
        width=width,
        layers=own["block_count"],
        heads=heads,
        key_heads=own.get("attention.head_count_kv", heads),
        head_size=size,
        hidden=own["feed_forward_length"],
        context=reach(own["context_length"], scaling),
        causal=True,
        positions="rotary",
        norm="rms",
        norm_place="before",
        mlp="swiglu",
        bias=False,
        epsilon=own["attention.layer_norm_rms_epsilon"],
        rope_theta=own.get("rope.freq_base", 10_000.0),
        rope_scaling=scaling,
    )
    window = own.get("attention.sliding_window")
    return cfg if not window else replace(cfg, window=window - 1, local=(True,) * cfg.layers)


def _scaling(own: Mapping[str, Any]) -> RopeScaling | None:
    kind = own.get("rope.scaling.type", "none")
    if kind == "none":
        return None
    if kind != "linear":
        raise UserError(f"rope.scaling.type={kind!r} is not supported (known: none, linear)")
    return RopeScaling("linear", own["rope.scaling.factor"], own["context_length"])


def _gpt2(own: Mapping[str, Any]) -> BackboneConfig:
    heads, width = own["attention.head_count"], own["embedding_length"]
    return BackboneConfig(
        vocabulary=len(own["tokenizer.ggml.tokens"]),
        width=width,
        layers=own["block_count"],
        heads=heads,
        key_heads=heads,
        head_size=width // heads,
        hidden=own["feed_forward_length"],
        context=own["context_length"],
        causal=True,
        positions="learned",
        norm="layer",
        norm_place="before",
        mlp="gelu_tanh",
        bias=True,
        epsilon=own["attention.layer_norm_epsilon"],
    )


def _bert(own: Mapping[str, Any]) -> BackboneConfig:
    segments = own.get("tokenizer.ggml.token_type_count", 2)
    return replace(
        _gpt2(own),
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
        lambda own: replace(_llama(own), bias=("attn.q", "attn.k", "attn.v")), _LLAMA
    ),
    "qwen3": Architecture(lambda own: replace(_llama(own), head_norms=True), _LLAMA),
    "gpt2": Architecture(_gpt2, _GPT2),
    "bert": Architecture(_bert, _BERT),
}
