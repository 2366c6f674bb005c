"""Llama, Mistral, Qwen2, Qwen3: rotary, RMS norms before, gated; and GPT-2, an older decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...backbone.config import BackboneConfig
from . import defaults
from .family import Family, Names, Part
from .settings import ATTENTION, MLP, gelu, locals_of, only, reach, rope

LLAMA_NAMES: Names = {
    "embedding": "embed_tokens",
    "blocks.*.attn.q": "layers.*.self_attn.q_proj",
    "blocks.*.attn.k": "layers.*.self_attn.k_proj",
    "blocks.*.attn.v": "layers.*.self_attn.v_proj",
    "blocks.*.attn.o": "layers.*.self_attn.o_proj",
    "blocks.*.attn.norm_q": "layers.*.self_attn.q_norm",
    "blocks.*.attn.norm_k": "layers.*.self_attn.k_norm",
    "blocks.*.mlp.gate": "layers.*.mlp.gate_proj",
    "blocks.*.mlp.up": "layers.*.mlp.up_proj",
    "blocks.*.mlp.down": "layers.*.mlp.down_proj",
    "blocks.*.norm_attn": "layers.*.input_layernorm",
    "blocks.*.norm_mlp": "layers.*.post_attention_layernorm",
    "norm": "norm",
    "head": "lm_head",
}
GPT2_NAMES: Names = {
    "embedding": "wte",
    "positions.table": "wpe",
    "blocks.*.norm_attn": "h.*.ln_1",
    "blocks.*.attn.q": Part("h.*.attn.c_attn", 0, 3),
    "blocks.*.attn.k": Part("h.*.attn.c_attn", 1, 3),
    "blocks.*.attn.v": Part("h.*.attn.c_attn", 2, 3),
    "blocks.*.attn.o": "h.*.attn.c_proj",
    "blocks.*.norm_mlp": "h.*.ln_2",
    "blocks.*.mlp.up": "h.*.mlp.c_fc",
    "blocks.*.mlp.down": "h.*.mlp.c_proj",
    "norm": "ln_f",
    "head": "lm_head",
}


def llama_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """Llama's settings in ours."""
    only(raw, hidden_act="silu")
    theta, scaling = rope(raw)
    biased = (*(ATTENTION if raw.get("attention_bias") else ()),)
    return BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=raw["num_attention_heads"],
        key_heads=raw.get("num_key_value_heads") or raw["num_attention_heads"],
        head_size=raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"],
        hidden=raw["intermediate_size"],
        context=reach(raw["max_position_embeddings"], scaling),
        causal=True,
        positions="rotary",
        norm="rms",
        norm_place="before",
        mlp="swiglu",
        bias=(*biased, *(MLP if raw.get("mlp_bias") else ())),
        epsilon=raw["rms_norm_eps"],
        rope_theta=theta,
        rope_scaling=scaling,
        tied=raw.get("tie_word_embeddings", False),
    )


def mistral_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """Mistral's: Llama with a window, in which a query counts itself."""
    only(raw, attention_bias=False, mlp_bias=False, layer_types=None)
    return _windowed(
        llama_config(raw), raw.get("sliding_window"), (True,) * raw["num_hidden_layers"]
    )


def qwen2_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """Qwen2's: Llama with biases at q, k and v, and windows in the last layers where they say."""
    only(raw, mlp_bias=False)
    cfg = replace(llama_config(raw), bias=("attn.q", "attn.k", "attn.v"))
    return _qwen_windows(cfg, raw)


def qwen3_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """Qwen3's: Llama with norms of each head's queries and keys; heads are 128 wide by default."""
    only(raw, mlp_bias=False)
    cfg = llama_config(raw)
    return _qwen_windows(replace(cfg, head_norms=True), raw)


def _qwen_windows(cfg: BackboneConfig, raw: Mapping[str, Any]) -> BackboneConfig:
    window = raw.get("sliding_window", 4096) if raw.get("use_sliding_window") else None
    kinds, whole = raw.get("layer_types"), raw.get("max_window_layers", 28)
    if kinds is None:
        return _windowed(cfg, window, tuple(layer >= whole for layer in range(cfg.layers)))
    return _windowed(cfg, window, locals_of(kinds))


def _windowed(cfg: BackboneConfig, window: int | None, local: tuple[bool, ...]) -> BackboneConfig:
    return cfg if window is None else replace(cfg, window=window - 1, local=local)


def gpt2_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """GPT-2's settings in ours."""
    only(raw, scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False)
    return BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["n_embd"],
        layers=raw["n_layer"],
        heads=raw["n_head"],
        key_heads=raw["n_head"],
        head_size=raw["n_embd"] // raw["n_head"],
        hidden=raw.get("n_inner") or 4 * raw["n_embd"],
        context=raw["n_positions"],
        causal=True,
        positions="learned",
        norm="layer",
        norm_place="before",
        mlp=gelu(raw, "activation_function", "gelu_new"),
        bias=True,
        epsilon=raw["layer_norm_epsilon"],
        tied=raw.get("tie_word_embeddings", True),
    )


LLAMA = Family(llama_config, LLAMA_NAMES, defaults=defaults.LLAMA)
MISTRAL = Family(mistral_config, LLAMA_NAMES, defaults=defaults.MISTRAL)
QWEN2 = Family(qwen2_config, LLAMA_NAMES, defaults=defaults.QWEN2)
QWEN3 = Family(qwen3_config, LLAMA_NAMES, defaults=defaults.QWEN3)
GPT2 = Family(gpt2_config, GPT2_NAMES, "transformer", transposed=True, defaults=defaults.GPT2)
