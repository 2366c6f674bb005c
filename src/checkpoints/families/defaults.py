"""What transformers takes for settings that a config.json does not have.

The first checkpoints of a family were often saved without settings that came later, such as the
epsilon of BERT's norms. These are the defaults of transformers' configuration classes; where a
setting is null there, or false, our own code takes the same when it is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BERT: Mapping[str, Any] = {
    "vocab_size": 30_522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
ROBERTA: Mapping[str, Any] = {**BERT, "vocab_size": 50_265}
DISTILBERT: Mapping[str, Any] = {
    "vocab_size": 30_522,
    "dim": 768,
    "n_layers": 6,
    "n_heads": 12,
    "hidden_dim": 3072,
    "max_position_embeddings": 512,
}
MODERNBERT: Mapping[str, Any] = {
    "vocab_size": 50_368,
    "hidden_size": 768,
    "num_hidden_layers": 22,
    "num_attention_heads": 12,
    "intermediate_size": 1152,
    "max_position_embeddings": 8192,
}
GPT2: Mapping[str, Any] = {
    "vocab_size": 50_257,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
    "layer_norm_epsilon": 1e-5,
}
LLAMA: Mapping[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11_008,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
}
MISTRAL: Mapping[str, Any] = {
    **LLAMA,
    "num_key_value_heads": 8,
    "intermediate_size": 14_336,
    "max_position_embeddings": 131_072,
    "sliding_window": 4096,
}
QWEN2: Mapping[str, Any] = {
    **LLAMA,
    "vocab_size": 151_936,
    "num_key_value_heads": 32,
    "intermediate_size": 22_016,
    "max_position_embeddings": 32_768,
}
QWEN3: Mapping[str, Any] = {**QWEN2, "head_dim": 128}
LAYERS = ("num_hidden_layers", "n_layers", "n_layer")
"""What families call the number of their layers."""
