"""Small random models of every family, made and saved by transformers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PretrainedConfig,
    PreTrainedModel,
)
from tunebench.checkpoints.families import FAMILIES, counterpart

from tests.parity.conftest import Padded

WORDS, WIDTH, CONTEXT = 61, 24, 32
MASKED = ("bert", "roberta", "distilbert", "modernbert")
PLAIN = {
    "vocab_size": WORDS,
    "hidden_size": WIDTH,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
BERT = PLAIN | {"layer_norm_eps": 1e-7}
DISTIL = {
    "vocab_size": WORDS,
    "dim": WIDTH,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 40,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
}
GPT = {
    "vocab_size": WORDS,
    "n_embd": WIDTH,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": CONTEXT,
    "initializer_range": 0.3,
}
MODERN = PLAIN | {"local_attention": 6, "global_attn_every_n_layers": 2}
GROUPED = PLAIN | {"num_key_value_heads": 2}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 400.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 100.0, "factor": 4.0}

FAST: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("bert", BERT),
    "roberta": (
        "roberta",
        BERT | {"pad_token_id": 1, "max_position_embeddings": 34, "type_vocab_size": 1},
    ),
    "distilbert": ("distilbert", DISTIL),
    "modernbert": ("modernbert", MODERN),
    "gpt2": ("gpt2", GPT),
    "llama": ("llama", GROUPED | {"rope_parameters": LLAMA3}),
    "mistral": ("mistral", GROUPED | {"sliding_window": 5}),
    "qwen2": ("qwen2", GROUPED),
    "qwen3": ("qwen3", GROUPED | {"head_dim": 10}),
}
GRID: dict[str, tuple[str, dict[str, Any]]] = {
    "bert, tanh": ("bert", BERT | {"hidden_act": "gelu_new", "type_vocab_size": 3}),
    "bert, own table": ("bert", BERT | {"tie_word_embeddings": False}),
    "roberta, pad 0": ("roberta", BERT),
    "distilbert, waves": ("distilbert", DISTIL | {"sinusoidal_pos_embds": True}),
    "distilbert, tanh": ("distilbert", DISTIL | {"activation": "gelu_new"}),
    "modernbert, biases": (
        "modernbert",
        MODERN
        | {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True},
    ),
    "modernbert, no head bias": ("modernbert", MODERN | {"decoder_bias": False}),
    "modernbert, layers named": (
        "modernbert",
        MODERN
        | {"layer_types": ["full_attention", "full_attention", "sliding_attention"]}
        | {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 77.0}}},
    ),
    "gpt2, inner": ("gpt2", GPT | {"n_inner": 30, "activation_function": "gelu"}),
    "gpt2, own table": ("gpt2", GPT | {"tie_word_embeddings": False}),
    "llama, plain": ("llama", PLAIN | {"tie_word_embeddings": True}),
    "llama, biases": ("llama", PLAIN | {"attention_bias": True, "mlp_bias": True}),
    "llama, one key head": ("llama", PLAIN | {"num_key_value_heads": 1, "head_dim": 8}),
    "llama, linear": (
        "llama",
        GROUPED | {"rope_parameters": {"rope_type": "linear", "rope_theta": 50.0, "factor": 3.0}},
    ),
    "llama, dynamic": ("llama", GROUPED | {"rope_parameters": DYNAMIC}),
    "llama, dynamic beyond": (
        "llama",
        GROUPED | {"rope_parameters": DYNAMIC, "max_position_embeddings": 8},
    ),
    "mistral, no window": ("mistral", GROUPED | {"sliding_window": None}),
    "qwen2, windows": (
        "qwen2",
        GROUPED | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    ),
    "qwen2, tied": ("qwen2", GROUPED | {"tie_word_embeddings": True}),
    "qwen3, windows": (
        "qwen3",
        GROUPED
        | {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 2}
        | {"attention_bias": True, "head_dim": 6},
    ),
}


def make(kind: str, settings: dict[str, Any]) -> PreTrainedModel:
    """A model with its language head; no weight keeps the value that others have too."""
    torch.manual_seed(5)
    config: PretrainedConfig = AutoConfig.for_model(kind, **settings)
    auto = AutoModelForMaskedLM if kind in MASKED else AutoModelForCausalLM
    model: PreTrainedModel = auto.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def saved(name: str, folder: Path) -> PreTrainedModel:
    """The model of this name, which now lies in the folder."""
    model = make(*(FAST | GRID)[name])
    model.save_pretrained(folder)
    return model


def body(model: PreTrainedModel) -> nn.Module:
    """The model without its head."""
    module: nn.Module = getattr(model, model.base_model_prefix)
    return module


def batch_for(model: PreTrainedModel, side: str) -> Padded:
    """A padded batch; RoBERTa numbers positions by what is not its padding."""
    batch, config = Padded(WORDS, side), model.config
    if config.model_type == "roberta":
        batch.ids[batch.ids == config.pad_token_id] = 7
        batch.ids[batch.mask == 0] = config.pad_token_id
    # Dynamic angles depend on the longest text; transformers counts columns of padding with it.
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") == "dynamic":
        # It also remembers the longest batch that it has read.
        rotary: Any = body(model).rotary_emb
        rotary.max_seq_len_cached = config.max_position_embeddings
        length = int(batch.mask.sum(1).max()) if side == "right" else batch.ids.shape[1]
        batch.ids, batch.mask = batch.ids[:, :length], batch.mask[:, :length]
    return batch


def inputs(model: PreTrainedModel, batch: Padded) -> dict[str, Any]:
    """What transformers gets besides the ids."""
    named: dict[str, Any] = {"attention_mask": batch.mask}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        named["token_type_ids"] = batch.segments
    return named if model.config.model_type in MASKED else named | {"use_cache": False}


def part_of(tensors: dict[str, Tensor], name: str, kind: str) -> Tensor:
    """Of their tensors, what one of ours is."""
    family = FAMILIES[kind]
    peer, part = counterpart(name, family.names)
    tensor = tensors[peer]
    transposed = family.transposed and name.startswith("blocks.") and tensor.ndim > 1
    tensor = tensor.t() if transposed else tensor
    return tensor if part is None else tensor.chunk(part.of)[part.number]
