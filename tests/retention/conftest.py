"""Small language models as transformers saves them: a causal Llama and a masked BERT."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken
from tunebench.config import DataSettings
from tunebench.data.load import load_task

from tests import small


@pytest.fixture(scope="package")
def texts() -> list[str]:
    """Thirty pocket reviews."""
    rows = load_task("sentiment", DataSettings(source="pocket")).test.texts
    return [text for row in rows[:30] for text in row]


@pytest.fixture(scope="package")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama with a tied head."""
    return small.make_decoder(tmp_path_factory.mktemp("checkpoint") / "tiny-llama")


@pytest.fixture(scope="package")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with a head for masked tokens."""
    from transformers import BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny-bert-mlm"
    words = small.tokenizer()
    words.add_special_tokens([AddedToken("[MASK]", special=True)])
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=48,
        initializer_range=0.3,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    words.save(str(folder / "tokenizer.json"))
    return folder
