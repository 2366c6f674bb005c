"""A language head of its own in the file is read as transformers reads it."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.checkpoints.checkpoint import Checkpoint

from tests.parity import families

TIED = {"gpt2": "lm_head.weight", "bert": "cls.predictions.decoder.weight"}


@pytest.mark.parametrize("kind", TIED)
@pytest.mark.parametrize("same", [True, False])
def test_a_head_of_its_own_in_the_file_is_read_whatever_the_settings_say(kind, same, tmp_path):
    """As transformers reads it: two tables that differ are not tied."""
    families.saved(kind, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    ends = ("wte.weight", "word_embeddings.weight")
    table = next(value for key, value in stored.items() if key.endswith(ends))
    head = table.clone() if same else table.flip(0).contiguous()
    save_file(stored | {TIED[kind]: head}, tmp_path / "model.safetensors")
    checkpoint = Checkpoint.open(tmp_path)
    backbone = checkpoint.load_backbone()
    assert backbone.cfg.tied
    weight = checkpoint.load_language_head(backbone).weight
    assert torch.equal(weight, head)
    assert (weight.data_ptr() == backbone.embedding.weight.data_ptr()) == same
