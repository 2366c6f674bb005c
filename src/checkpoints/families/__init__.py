"""The families of checkpoints that are read, by the `model_type` of their config.json."""

from __future__ import annotations

from collections.abc import Mapping

from .decoders import GPT2, LLAMA, LLAMA_NAMES, MISTRAL, QWEN2, QWEN3
from .encoders import BERT, BERT_NAMES, DISTILBERT, ROBERTA
from .family import Family, Names, Part, counterpart, source_name
from .modernbert import MODERNBERT
from .own import OWN

__all__ = [
    "BERT_NAMES",
    "FAMILIES",
    "LLAMA_NAMES",
    "Family",
    "Names",
    "Part",
    "counterpart",
    "source_name",
]

FAMILIES: Mapping[str, Family] = {
    "bert": BERT,
    "roberta": ROBERTA,
    "distilbert": DISTILBERT,
    "modernbert": MODERNBERT,
    "gpt2": GPT2,
    "llama": LLAMA,
    "mistral": MISTRAL,
    "qwen2": QWEN2,
    "qwen3": QWEN3,
    "tunebench": OWN,
}
