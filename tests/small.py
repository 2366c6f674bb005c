"""A whole checkpoint folder small enough that a comparison on it takes a second."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from tunebench.backbone.config import BackboneConfig
from tunebench.checkpoints.families import BERT_NAMES, LLAMA_NAMES, source_name
from tunebench.config import (
    BackboneSettings,
    DataSettings,
    Experiment,
    SearchSettings,
    TrainSettings,
)
from tunebench.data.load import load_task

from tests import tiny

WORDS = 600
"""Entries of the vocabulary; rarer words are unknown."""


def bert_settings(cfg: BackboneConfig) -> dict[str, Any]:
    """A config.json as BERT folders have it."""
    return {
        "model_type": "bert",
        "vocab_size": cfg.vocabulary,
        "hidden_size": cfg.width,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "intermediate_size": cfg.hidden,
        "max_position_embeddings": cfg.context,
        "type_vocab_size": cfg.segments,
        "layer_norm_eps": cfg.epsilon,
    }


def llama_settings(cfg: BackboneConfig) -> dict[str, Any]:
    """A config.json as Llama folders have it."""
    return {
        "model_type": "llama",
        "vocab_size": cfg.vocabulary,
        "hidden_size": cfg.width,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "num_key_value_heads": cfg.key_heads,
        "head_dim": cfg.head_size,
        "intermediate_size": cfg.hidden,
        "max_position_embeddings": cfg.context,
        "rms_norm_eps": cfg.epsilon,
        "rope_theta": cfg.rope_theta,
        "tie_word_embeddings": True,
    }


def plain_tokenizer() -> Tokenizer:
    """Whole words of the pocket reviews and of a template, nothing put around them."""
    made = tokenizer()
    made.post_processor = None
    made.add_tokens(["negative", "positive", "review", "sentiment"])
    return made


def tokenizer() -> Tokenizer:
    """Whole words of the pocket reviews, with BERT's template for pairs."""
    rows = load_task("sentiment", DataSettings(source="pocket")).train.texts
    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordLevelTrainer(
        vocab_size=WORDS, special_tokens=special, show_progress=False
    )
    made.train_from_iterator((text for row in rows for text in row), trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return made


def make_folder(folder: Path) -> Path:
    """Write config.json, model.safetensors and tokenizer.json of a random BERT."""
    folder.mkdir(parents=True, exist_ok=True)
    cfg = dataclasses.replace(tiny.ENCODER, vocabulary=WORDS)
    weights = {
        source_name(name, BERT_NAMES): p.detach()
        for name, p in tiny.backbone(cfg).named_parameters()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(bert_settings(cfg)))
    tokenizer().save(str(folder / "tokenizer.json"))
    write_reviews(folder)
    return folder


def make_decoder(folder: Path) -> Path:
    """Write the same files of a random Llama."""
    folder.mkdir(parents=True, exist_ok=True)
    words = plain_tokenizer()
    cfg = dataclasses.replace(tiny.DECODER, vocabulary=words.get_vocab_size())
    weights = {
        source_name(name, LLAMA_NAMES): p.detach()
        for name, p in tiny.backbone(cfg).named_parameters()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(llama_settings(cfg)))
    words.save(str(folder / "tokenizer.json"))
    write_reviews(folder)
    return folder


def write_reviews(folder: Path) -> None:
    """Forty pocket reviews to train on and thirty to test, as a user's own files."""
    data = load_task("sentiment", DataSettings(source="pocket"))
    for name, rows, count in (("reviews", data.train, 40), ("reviews-test", data.test, 30)):
        lines = [
            f"{rows.texts[n][0]}\t{data.task.labels[int(rows.labels[n])]}" for n in range(count)
        ]
        (folder / f"{name}.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")


def experiment(folder: Path, out: Path, **changes: Any) -> Experiment:
    """Forty reviews, two methods, one trial of one epoch: changed where the caller says."""
    data = DataSettings(test=str(folder / "reviews-test.tsv"), max_length=32)
    settings: dict[str, Any] = {
        "tasks": (str(folder / "reviews.tsv"),),
        "methods": {"head": {}, "lora": {}},
        "backbone": BackboneSettings(name=str(folder)),
        "data": data,
        "train": TrainSettings(batch_size=16, accelerator="cpu", threads=1),
        "search": SearchSettings(trials=1, trial_epochs=1, epochs=1),
        "out": str(out),
        "workers": 1,
    }
    return Experiment(**(settings | changes))
