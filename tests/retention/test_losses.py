"""Losses beside transformers' own, by its labels and its mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tunebench.checkpoints.checkpoint import Checkpoint
from tunebench.retention.change import Losses
from tunebench.retention.losses import losses
from tunebench.retention.readings import readings


def ours(folder: Path, texts: list[str]) -> Losses:
    checkpoint = Checkpoint.open(folder)
    backbone = checkpoint.load_backbone()
    asked = readings(texts, checkpoint.load_tokenizer(), checkpoint.config, max_length=40)
    return losses(backbone, checkpoint.load_language_head(backbone).eval(), asked)


def test_a_causal_loss_is_that_of_transformers(causal: Path, texts: list[str]) -> None:
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM.from_pretrained(causal).eval()
    tokenizer = Checkpoint.open(causal).load_tokenizer()
    known = ours(causal, texts)
    for row, text in enumerate(texts):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            mean = float(model(input_ids=ids, labels=ids).loss)
        assert known.tokens[row] == ids.numel() - 1
        assert known.sums[row] / known.tokens[row] == pytest.approx(mean, rel=1e-5)
    assert known.mean == pytest.approx(known.sums.sum() / known.tokens.sum())


def test_a_masked_loss_is_that_of_transformers(masked: Path, texts: list[str]) -> None:
    from transformers import BertForMaskedLM

    model = BertForMaskedLM.from_pretrained(masked).eval()
    checkpoint = Checkpoint.open(masked)
    asked = readings(texts, checkpoint.load_tokenizer(), checkpoint.config, max_length=40)
    known = ours(masked, texts)
    for row, one in enumerate(asked):
        labels = torch.full((1, len(one.ids)), -100)
        labels[0, list(one.places)] = torch.tensor(one.targets)
        with torch.no_grad():
            mean = float(model(input_ids=torch.tensor([one.ids]), labels=labels).loss)
        assert known.sums[row] / known.tokens[row] == pytest.approx(mean, rel=1e-5)


def test_what_is_read_together_changes_nothing(
    causal: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    together = ours(causal, texts)
    monkeypatch.setattr("tunebench.retention.losses.BATCH_TOKENS", 1)
    monkeypatch.setattr("tunebench.retention.losses.HEAD_ROWS", 3)
    np.testing.assert_allclose(ours(causal, texts).sums, together.sums, rtol=1e-5)
