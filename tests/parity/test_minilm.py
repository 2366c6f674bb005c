"""MiniLM's hidden states against transformers: at most twice its own fp32 error."""

import pytest
import torch
from transformers import AutoModel
from tunebench.backbone.catalogue import locate
from tunebench.backbone.load import load_backbone

from tests.parity.conftest import Padded, worst
from tests.parity.gradients import gradients_agree


@pytest.fixture(scope="module", params=["eager", "sdpa"])
def theirs(request):
    return AutoModel.from_pretrained(locate("minilm"), attn_implementation=request.param).eval()


@pytest.fixture(scope="module")
def ours():
    return load_backbone("minilm")


@pytest.mark.parametrize("segments", [False, True], ids=["one text", "pairs"])
def test_hidden_states_are_as_near_to_float64_as_transformers_own(theirs, ours, side, segments):
    batch = Padded(ours.cfg.vocabulary, side)
    named = {"token_type_ids": batch.segments} if segments else {}
    with torch.no_grad():
        single = theirs(batch.ids, attention_mask=batch.mask, **named).last_hidden_state
        exact = theirs.double()(batch.ids, attention_mask=batch.mask, **named).last_hidden_state
        theirs.float()
        found = ours(batch.ids, batch.mask, **named)
    bar = 2 * worst(batch.real(single), batch.real(exact))
    assert 0 < worst(batch.real(found), batch.real(exact)) <= bar


def test_the_weights_are_those_that_transformers_reads(theirs, ours):
    own = sum(p.numel() for p in theirs.parameters()) - sum(
        p.numel() for p in theirs.pooler.parameters()
    )
    assert ours.cfg.count() == own
    assert torch.equal(ours.blocks[5].mlp.down.weight, theirs.encoder.layer[5].output.dense.weight)


def test_gradients_are_theirs(theirs, ours):
    batch = Padded(ours.cfg.vocabulary, "right")
    named = {"attention_mask": batch.mask, "token_type_ids": batch.segments}
    gradients_agree(theirs, ours, batch, named, "bert")
