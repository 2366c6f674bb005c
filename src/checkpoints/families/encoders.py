"""BERT, RoBERTa and DistilBERT: norms after each sum, learned positions, biases everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...backbone.config import BackboneConfig, HeadShape
from . import defaults
from .family import Family, Names
from .settings import gelu, only

_BODY: Names = {
    "embedding": "embeddings.word_embeddings",
    "positions.table": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "norm_embedding": "embeddings.LayerNorm",
    "blocks.*.attn.q": "encoder.layer.*.attention.self.query",
    "blocks.*.attn.k": "encoder.layer.*.attention.self.key",
    "blocks.*.attn.v": "encoder.layer.*.attention.self.value",
    "blocks.*.attn.o": "encoder.layer.*.attention.output.dense",
    "blocks.*.norm_attn": "encoder.layer.*.attention.output.LayerNorm",
    "blocks.*.mlp.up": "encoder.layer.*.intermediate.dense",
    "blocks.*.mlp.down": "encoder.layer.*.output.dense",
    "blocks.*.norm_mlp": "encoder.layer.*.output.LayerNorm",
}
BERT_NAMES: Names = {
    **_BODY,
    "head": "cls.predictions.decoder",
    "head.dense": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
}
ROBERTA_NAMES: Names = {
    **_BODY,
    "head": "lm_head.decoder",
    "head.dense": "lm_head.dense",
    "head.norm": "lm_head.layer_norm",
}
DISTILBERT_NAMES: Names = {
    "embedding": "embeddings.word_embeddings",
    "positions.table": "embeddings.position_embeddings",
    "norm_embedding": "embeddings.LayerNorm",
    "blocks.*.attn.q": "transformer.layer.*.attention.q_lin",
    "blocks.*.attn.k": "transformer.layer.*.attention.k_lin",
    "blocks.*.attn.v": "transformer.layer.*.attention.v_lin",
    "blocks.*.attn.o": "transformer.layer.*.attention.out_lin",
    "blocks.*.norm_attn": "transformer.layer.*.sa_layer_norm",
    "blocks.*.mlp.up": "transformer.layer.*.ffn.lin1",
    "blocks.*.mlp.down": "transformer.layer.*.ffn.lin2",
    "blocks.*.norm_mlp": "transformer.layer.*.output_layer_norm",
    "head": "vocab_projector",
    "head.dense": "vocab_transform",
    "head.norm": "vocab_layer_norm",
}


def bert_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """BERT's settings in ours."""
    only(raw, position_embedding_type="absolute", is_decoder=False)
    activation, heads = gelu(raw, "hidden_act"), raw["num_attention_heads"]
    return BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["hidden_size"],
        layers=raw["num_hidden_layers"],
        heads=heads,
        key_heads=heads,
        head_size=raw["hidden_size"] // heads,
        hidden=raw["intermediate_size"],
        context=raw["max_position_embeddings"],
        causal=False,
        positions="learned",
        norm="layer",
        norm_place="after",
        mlp=activation,
        bias=True,
        segments=raw["type_vocab_size"],
        embedding_norm=True,
        epsilon=raw["layer_norm_eps"],
        tied=raw.get("tie_word_embeddings", True),
        head=HeadShape(activation=activation, dense_bias=True, bias=True),
    )


def roberta_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """RoBERTa's: as BERT, but positions begin after the padding's and number tokens alone."""
    first = raw.get("pad_token_id", 1) + 1
    return replace(
        bert_config(raw),
        context=raw["max_position_embeddings"] - first,
        first_position=first,
        count_padding=False,
        head=HeadShape(activation="gelu", dense_bias=True, bias=True),
    )


def distilbert_config(raw: Mapping[str, Any]) -> BackboneConfig:
    """DistilBERT's: BERT without segments; its positions may be sinusoidal."""
    only(raw)
    activation = gelu(raw, "activation")
    return BackboneConfig(
        vocabulary=raw["vocab_size"],
        width=raw["dim"],
        layers=raw["n_layers"],
        heads=raw["n_heads"],
        key_heads=raw["n_heads"],
        head_size=raw["dim"] // raw["n_heads"],
        hidden=raw["hidden_dim"],
        context=raw["max_position_embeddings"],
        causal=False,
        positions="sinusoidal" if raw.get("sinusoidal_pos_embds") else "learned",
        norm="layer",
        norm_place="after",
        mlp=activation,
        bias=True,
        embedding_norm=True,
        epsilon=1e-12,
        tied=raw.get("tie_word_embeddings", True),
        head=HeadShape(activation=activation, dense_bias=True, bias=True),
    )


BERT = Family(
    bert_config,
    BERT_NAMES,
    "bert",
    aliases={"cls.predictions.decoder.bias": "cls.predictions.bias"},
    defaults=defaults.BERT,
)
ROBERTA = Family(
    roberta_config,
    ROBERTA_NAMES,
    "roberta",
    aliases={"lm_head.decoder.bias": "lm_head.bias"},
    defaults=defaults.ROBERTA,
)
DISTILBERT = Family(distilbert_config, DISTILBERT_NAMES, "distilbert", defaults=defaults.DISTILBERT)
