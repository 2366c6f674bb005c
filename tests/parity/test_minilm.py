"""MiniLM's hidden states against transformers: at most twice its own fp32 error."""

import pytest
import torch
from transformers import AutoModel
from tunebench.checkpoints.catalogue import locate
from tunebench.checkpoints.checkpoint import load_backbone

from tests.parity.conftest import Padded, worst
from tests.parity.gradients import gradients_agree


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def peer(request):
    return AutoModel.from_pretrained(locate("minilm"), attn_implementation=request.param).eval()


@pytest.fixture(scope="module")
def ours():
    return load_backbone("minilm")


@pytest.mark.parametrize("segments", [False, True], ids=["one text", "pairs"])
def test_hidden_states_are_as_near_to_float64_as_transformers_own(peer, ours, side, segments):
    batch = Padded(ours.cfg.vocabulary, side)
    named = {"token_type_ids": batch.segments} if segments else {}
    with torch.no_grad():
        single = peer(batch.ids, attention_mask=batch.mask, **named).last_hidden_state
        exact = peer.double()(batch.ids, attention_mask=batch.mask, **named).last_hidden_state
        peer.float()
        states = ours(batch.ids, batch.mask, **named)
    bar = 2 * worst(batch.real(single), batch.real(exact))
    assert 0 < worst(batch.real(states), batch.real(exact)) <= bar


def test_the_weights_are_those_that_transformers_reads(peer, ours):
    counted = sum(p.numel() for p in peer.parameters()) - sum(
        p.numel() for p in peer.pooler.parameters()
    )
    assert ours.cfg.count() == counted
    assert torch.equal(ours.blocks[5].mlp.down.weight, peer.encoder.layer[5].output.dense.weight)


def test_gradients_are_theirs(peer, ours):
    batch = Padded(ours.cfg.vocabulary, "right")
    named = {"attention_mask": batch.mask, "token_type_ids": batch.segments}
    gradients_agree(peer, ours, batch, named, "bert")
