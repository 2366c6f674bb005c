"""Folders that transformers itself has saved: the same states and gradients."""

import pytest
import torch
from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel
from tunebench.backbone.checkpoints import BERT_NAMES, LLAMA_NAMES, theirs
from tunebench.backbone.load import load_backbone

from tests.parity.conftest import Padded

SHAPE = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "initializer_range": 0.3,
}
BERT = BertConfig(
    **SHAPE, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-7
)
LLAMAS = {
    "llama": LlamaConfig(**SHAPE, num_key_value_heads=4, rms_norm_eps=1e-5),
    "grouped": LlamaConfig(**SHAPE, num_key_value_heads=2, head_dim=8, rms_norm_eps=1e-6),
    "one key head": LlamaConfig(
        **SHAPE,
        num_key_value_heads=1,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
    ),
}
KINDS = {"bert": BERT} | LLAMAS


@pytest.fixture(params=sorted(KINDS))
def pair(request, tmp_path):
    """Their model, ours from the folder that theirs was saved in, and the table of names."""
    torch.manual_seed(5)
    config = KINDS[request.param]
    bert = isinstance(config, BertConfig)
    model = BertModel(config, add_pooling_layer=False) if bert else LlamaModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path)
    return model, load_backbone(tmp_path), BERT_NAMES if bert else LLAMA_NAMES


def inputs(model, batch):
    named = {"attention_mask": batch.mask}
    if isinstance(model, BertModel):
        return named | {"token_type_ids": batch.segments}
    columns = torch.arange(batch.ids.shape[1]).expand_as(batch.ids)
    return named | {"position_ids": columns, "use_cache": False}


def close(found, wanted, share):
    """Within a share of the largest value."""
    return float((found - wanted).abs().max()) <= share * float(wanted.abs().max())


def test_a_saved_folder_gives_the_same_hidden_states(pair, side):
    model, ours, _ = pair
    batch = Padded(SHAPE["vocab_size"], side)
    segments = batch.segments if ours.cfg.segments else None
    with torch.no_grad():
        wanted = model.eval()(batch.ids, **inputs(model, batch)).last_hidden_state
        found = ours(batch.ids, batch.mask, segments)
    assert close(batch.real(found), batch.real(wanted), 1e-5)


def test_gradients_of_a_scalar_loss_agree_for_every_weight(pair):
    model, ours, names = pair
    batch = Padded(SHAPE["vocab_size"], "right")
    torch.manual_seed(9)
    weights = torch.randn(int(batch.mask.sum()), SHAPE["hidden_size"])
    wanted = batch.real(model(batch.ids, **inputs(model, batch)).last_hidden_state)
    (wanted * weights).sum().backward()
    segments = batch.segments if ours.cfg.segments else None
    (batch.real(ours(batch.ids, batch.mask, segments)) * weights).sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    compared = 0
    for name, parameter in ours.named_parameters():
        other = gradients[theirs(name, names)]
        # A key's bias shifts all scores of a query alike: its gradient is rounding alone.
        if name.endswith("attn.k.bias"):
            assert float(parameter.grad.abs().max()) < 1e-3
            continue
        assert close(parameter.grad, other, 1e-4), name
        compared += 1
    assert compared > 20


def test_the_count_in_closed_form_is_theirs(pair):
    model, ours, _ = pair
    assert ours.cfg.count() == sum(p.numel() for p in model.parameters())
