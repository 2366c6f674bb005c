"""GGUF files: Llama-family weights in llama.cpp's layout, dequantised to fp32 as they are read.

llama.cpp stores the rows of q and k so that rotated pairs are neighbours; ours (as Hugging Face's)
rotates halves, so the rows are put back. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from torch import Tensor

from ..errors import UnknownName, UserError
from .checkpoints import Missing, Read, check_shape, theirs
from .config import BackboneConfig
from .files import refuse_pointer

NAMES: Mapping[str, str] = {
    "words": "token_embd",
    "blocks.*.attn.q": "blk.*.attn_q",
    "blocks.*.attn.k": "blk.*.attn_k",
    "blocks.*.attn.v": "blk.*.attn_v",
    "blocks.*.attn.o": "blk.*.attn_output",
    "blocks.*.mlp.gate": "blk.*.ffn_gate",
    "blocks.*.mlp.up": "blk.*.ffn_up",
    "blocks.*.mlp.down": "blk.*.ffn_down",
    "blocks.*.norm_attn": "blk.*.attn_norm",
    "blocks.*.norm_mlp": "blk.*.ffn_norm",
    "norm": "output_norm",
    "head": "output",
}


def metadata(path: Path) -> dict[str, Any]:
    """The file's key-value pairs as plain Python values."""
    return {key: field.contents() for key, field in open_reader(path).fields.items()}


def open_reader(path: Path) -> GGUFReader:
    """The file, mapped; a broken one is the user's error."""
    refuse_pointer(path)
    try:
        return GGUFReader(path)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise UserError(f"{path} is not a readable GGUF file: {error}") from None


def open_gguf(path: Path) -> tuple[BackboneConfig, Read]:
    """Configuration and weights of a GGUF file."""
    reader = open_reader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    cfg = _config({key: field.contents() for key, field in reader.fields.items()}, path)
    cfg = replace(cfg, tied="output.weight" not in tensors)

    def read(name: str, shape: tuple[int, ...]) -> Tensor:
        wanted = theirs(name, NAMES)
        if wanted not in tensors:
            raise Missing(f"{path}: tensor '{wanted}' is missing")
        values = dequantize(tensors[wanted].data, tensors[wanted].tensor_type)
        weight = torch.from_numpy(np.array(values, dtype=np.float32))
        check_shape(f"{path}: tensor '{wanted}'", tuple(weight.shape), shape)
        heads = {"q": cfg.heads, "k": cfg.key_heads}.get(name.split(".")[-2])
        return weight if heads is None else _halves(weight, heads)

    return cfg, read


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows with rotated pairs as neighbours → rows with rotated halves."""
    rows = weight.view(heads, -1, 2, weight.shape[-1])
    return rows.transpose(1, 2).reshape(weight.shape).contiguous()


def _config(raw: Mapping[str, Any], path: Path) -> BackboneConfig:
    """The configuration that the file's metadata describe."""
    kind = raw.get("general.architecture")
    if kind != "llama":
        raise UnknownName(f"architecture in {path}:", str(kind), ["llama"])
    own = {key.removeprefix("llama."): value for key, value in raw.items()}
    heads = own["attention.head_count"]
    return BackboneConfig(
        vocabulary=len(raw["tokenizer.ggml.tokens"]),
        width=own["embedding_length"],
        layers=own["block_count"],
        heads=heads,
        key_heads=own.get("attention.head_count_kv", heads),
        head_size=own.get("rope.dimension_count", own["embedding_length"] // heads),
        hidden=own["feed_forward_length"],
        context=own["context_length"],
        causal=True,
        positions="rotary",
        norm="rms",
        norm_place="before",
        mlp="swiglu",
        bias=False,
        epsilon=own["attention.layer_norm_rms_epsilon"],
        rope_theta=own.get("rope.freq_base", 10_000.0),
    )
