"""Tensors that a checkpoint holds beyond the network: refused, or passed over."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from tunebench.checkpoints.checkpoint import load_backbone
from tunebench.errors import UserError

from tests.parity import families

AGAINST = {
    "a bias": ("llama", "model.layers.1.self_attn.q_proj.bias", 24),
    "norms of heads": ("llama", "model.layers.0.self_attn.q_norm.weight", 6),
    "an adapter": ("llama", "model.layers.2.self_attn.q_proj.lora_A.default.weight", 24),
    "a norm": ("modernbert", "model.layers.0.attn_norm.weight", 24),
    "a norm's bias": ("llama", "model.norm.bias", 24),
    "another layer's part": ("bert", "encoder.layer.0.crossattention.self.query.weight", 24),
}


@pytest.mark.parametrize("case", AGAINST)
def test_a_weight_that_the_settings_have_no_place_for_is_refused(case, tmp_path):
    """A setting is not believed over tensors that contradict it."""
    kind, name, size = AGAINST[case]
    families.saved(kind, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    save_file(stored | {name: torch.ones(size)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=f"tensor '{name}' is in the files, but the network"):
        load_backbone(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("llama", "model.layers.0.self_attn.rotary_emb.inv_freq"),
        ("gpt2", "transformer.h.0.attn.bias"),
        ("gpt2", "h.1.attn.masked_bias"),
        ("bert", "bert.pooler.dense.weight"),
        ("bert", "embeddings.position_ids"),
        ("bert", "classifier.weight"),
        ("llama", "score.weight"),
    ],
)
def test_what_is_computed_or_stands_on_the_network_may_be_there(kind, name, tmp_path):
    families.saved(kind, tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    save_file(stored | {name: torch.ones(3)}, tmp_path / "model.safetensors")
    assert load_backbone(tmp_path).cfg.layers == 3
