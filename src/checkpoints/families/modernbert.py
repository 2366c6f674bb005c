"""ModernBERT: an encoder with rotary positions, gated MLPs and mostly local attention.

Source: Warner et al. 2024, arXiv:2412.13663, §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...backbone.config import BackboneConfig, HeadShape
from ...errors import UserError
from . import defaults
from .family import Family, Names, Part
from .settings import ATTENTION, MLP, locals_of, only, rope

MODERNBERT_NAMES: Names = {
    "embedding": "embeddings.tok_embeddings",
    "norm_embedding": "embeddings.norm",
    "blocks.*.norm_attn": "layers.*.attn_norm",
    "blocks.*.attn.q": Part("layers.*.attn.Wqkv", 0, 3),
    "blocks.*.attn.k": Part("layers.*.attn.Wqkv", 1, 3),
    "blocks.*.attn.v": Part("layers.*.attn.Wqkv", 2, 3),
    "blocks.*.attn.o": "layers.*.attn.Wo",
    "blocks.*.norm_mlp": "layers.*.mlp_norm",
    "blocks.*.mlp.gate": Part("layers.*.mlp.Wi", 0, 2),
    "blocks.*.mlp.up": Part("layers.*.mlp.Wi", 1, 2),
    "blocks.*.mlp.down": "layers.*.mlp.Wo",
    "norm": "final_norm",
    "head": "decoder",
    "head.dense": "head.dense",
    "head.norm": "head.norm",
}


def modernbert_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """ModernBERT's settings in ours; `local_attention` counts both sides of a query."""
    only(raw, hidden_activation="gelu", classifier_activation="gelu", is_decoder=False)
    heads = raw["num_attention_heads"]
    biased = (*(ATTENTION if raw.get("attention_bias") else ()),)
    cfg = BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=heads,
        key_heads=heads,
        head_size=raw["hidden_size"] // heads,
        hidden=raw["intermediate_size"],
        context=raw["max_position_embeddings"],
        causal=False,
        positions="rotary",
        norm="layer",
        norm_place="before",
        mlp="geglu",
        bias=(*biased, *(MLP if raw.get("mlp_bias") else ())),
        embedding_norm=True,
        epsilon=raw.get("norm_eps", 1e-5),
        norm_bias=raw.get("norm_bias", False),
        first_norm=False,
        rope_theta=_theta(raw, "full_attention", "global_rope_theta", 160_000.0),
        window=raw.get("local_attention", 128) // 2,
        local_theta=_theta(raw, "sliding_attention", "local_rope_theta", 10_000.0),
        tied=raw.get("tie_word_embeddings", True),
        head=HeadShape(
            activation="gelu",
            dense_bias=raw.get("classifier_bias", False),
            bias=raw.get("decoder_bias", True),
        ),
    )
    return replace(cfg, local=_local(raw))


def _local(raw: Mapping[str, Any]) -> tuple[bool, ...]:
    kinds = raw.get("layer_types")
    if kinds is not None:
        return locals_of(kinds)
    every = raw.get("global_attn_every_n_layers", 3)
    return tuple(bool(layer % every) for layer in range(raw["num_hidden_layers"]))


def _theta(raw: Mapping[str, Any], kind: str, older: str, usual: float) -> float:
    """The base of one kind of layer, from newer files or from older ones."""
    parameters = (raw.get("rope_parameters") or {}).get(kind) or {}
    settings = {"max_position_embeddings": raw["max_position_embeddings"], **raw}
    settings |= {"rope_parameters": parameters, "rope_theta": raw.get(older)}
    theta, scaling = rope(settings, usual)
    if scaling is not None:
        raise UserError(f"rope scaling {parameters} of {kind} is not supported (known: default)")
    return theta


MODERNBERT = Family(modernbert_config, MODERNBERT_NAMES, defaults=defaults.MODERNBERT)
