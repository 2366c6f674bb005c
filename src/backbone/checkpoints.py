"""A checkpoint's files → configuration and weights: Hugging Face folders and GGUF files.

Families differ only in two tables: how their settings are named, and how their tensors are named.
Nothing is ever unpickled: safetensors or GGUF only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import UnknownName, UserError
from .config import BackboneConfig

Read = Callable[[str], Tensor]
"""Gives the tensor of one of our names."""

BERT_NAMES: Mapping[str, str] = {
    "words": "embeddings.word_embeddings",
    "positions.table": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "norm_words": "embeddings.LayerNorm",
    "blocks.*.attn.q": "encoder.layer.*.attention.self.query",
    "blocks.*.attn.k": "encoder.layer.*.attention.self.key",
    "blocks.*.attn.v": "encoder.layer.*.attention.self.value",
    "blocks.*.attn.o": "encoder.layer.*.attention.output.dense",
    "blocks.*.norm_attn": "encoder.layer.*.attention.output.LayerNorm",
    "blocks.*.mlp.up": "encoder.layer.*.intermediate.dense",
    "blocks.*.mlp.down": "encoder.layer.*.output.dense",
    "blocks.*.norm_mlp": "encoder.layer.*.output.LayerNorm",
    "head": "cls.predictions",
    "head.dense": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
}
LLAMA_NAMES: Mapping[str, str] = {
    "words": "embed_tokens",
    "blocks.*.attn.q": "layers.*.self_attn.q_proj",
    "blocks.*.attn.k": "layers.*.self_attn.k_proj",
    "blocks.*.attn.v": "layers.*.self_attn.v_proj",
    "blocks.*.attn.o": "layers.*.self_attn.o_proj",
    "blocks.*.mlp.gate": "layers.*.mlp.gate_proj",
    "blocks.*.mlp.up": "layers.*.mlp.up_proj",
    "blocks.*.mlp.down": "layers.*.mlp.down_proj",
    "blocks.*.norm_attn": "layers.*.input_layernorm",
    "blocks.*.norm_mlp": "layers.*.post_attention_layernorm",
    "norm": "norm",
    "head": "lm_head",
}


def bert_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """BERT's settings in ours."""
    _only(raw, hidden_act="gelu", position_embedding_type="absolute", is_decoder=False)
    return BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=raw["num_attention_heads"],
        key_heads=raw["num_attention_heads"],
        head_size=raw["hidden_size"] // raw["num_attention_heads"],
        hidden=raw["intermediate_size"],
        context=raw["max_position_embeddings"],
        causal=False,
        positions="learned",
        norm="layer",
        norm_place="after",
        mlp="gelu",
        bias=True,
        segments=raw["type_vocab_size"],
        embedding_norm=True,
        epsilon=raw["layer_norm_eps"],
    )


def llama_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """Llama's settings in ours."""
    _only(raw, hidden_act="silu", attention_bias=False, mlp_bias=False)
    rope = raw.get("rope_parameters") or {}
    scaling = raw.get("rope_scaling") or {k: v for k, v in rope.items() if k != "rope_theta"}
    if scaling.get("rope_type", scaling.get("type", "default")) != "default":
        raise UserError(f"rope scaling {dict(scaling)} is not supported (only the default is)")
    return BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=raw["num_attention_heads"],
        key_heads=raw.get("num_key_value_heads") or raw["num_attention_heads"],
        head_size=raw.get("head_dim") or raw["hidden_size"] // raw["num_attention_heads"],
        hidden=raw["intermediate_size"],
        context=raw["max_position_embeddings"],
        causal=True,
        positions="rotary",
        norm="rms",
        norm_place="before",
        mlp="swiglu",
        bias=False,
        epsilon=raw["rms_norm_eps"],
        rope_theta=raw.get("rope_theta") or rope.get("rope_theta", 10_000.0),
        tied=raw.get("tie_word_embeddings", False),
    )


def _only(raw: Mapping[str, Any], **known: Any) -> None:
    """Refuse what our network does not have, rather than pass over it."""
    for key, value in known.items():
        if raw.get(key, value) != value:
            raise UserError(f"{key}={raw[key]!r} is not supported (only {value!r} is)")


FAMILIES: Mapping[str, tuple[Callable[[Mapping[str, Any]], BackboneConfig], Mapping[str, str]]] = {
    "bert": (bert_config, BERT_NAMES),
    "llama": (llama_config, LLAMA_NAMES),
}


def theirs(name: str, names: Mapping[str, str]) -> str:
    """A family's name of one of our tensors: "blocks.3.attn.q.weight" → its counterpart."""
    module, _, leaf = name.rpartition(".")
    parts = module.split(".")
    number = next((part for part in parts if part.isdigit()), "")
    pattern = names[".".join("*" if part.isdigit() else part for part in parts)]
    return f"{pattern.replace('*', number)}.{leaf}"


def open_folder(folder: Path) -> tuple[BackboneConfig, Read]:
    """A Hugging Face folder: config.json and one or more .safetensors files."""
    settings, files = folder / "config.json", sorted(folder.glob("*.safetensors"))
    if not settings.is_file() or not files:
        missing = "config.json" if not settings.is_file() else "a .safetensors file"
        raise UserError(f"backbone folder {folder}: {missing} is missing")
    raw = _read_json(settings)
    kind = str(raw.get("model_type"))
    if kind not in FAMILIES:
        raise UnknownName(f"model_type in {settings}:", kind, FAMILIES)
    configure, names = FAMILIES[kind]
    try:
        cfg = configure(raw)
    except KeyError as error:
        raise UserError(f"{settings}: the setting {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{settings}: {error}") from None
    where = _index(files)

    def read(name: str) -> Tensor:
        wanted = theirs(name, names)
        for key in (wanted, f"{kind}.{wanted}", f"model.{wanted}"):
            if key in where:
                with safe_open(where[key], framework="pt") as file:
                    tensor: Tensor = file.get_tensor(key)
                    return tensor.to(torch.float32)
        raise UserError(f"{folder}: tensor '{wanted}' is missing")

    return cfg, read


def _read_json(path: Path) -> Mapping[str, Any]:
    """The settings in a config.json."""
    try:
        raw = json.loads(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path} is not readable JSON: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: an object of settings is needed, but got {type(raw).__name__}")
    return raw


def _index(files: list[Path]) -> dict[str, Path]:
    """Each tensor's file."""
    where: dict[str, Path] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                where.update(dict.fromkeys(file.keys(), path))
        except SafetensorError as error:
            raise UserError(f"{path} is not a readable safetensors file: {error}") from None
    return where
