"""Passes: what each computes is what the network itself gives."""

import pytest
import torch
from torch import nn
from tunebench.backbone.cache import KVCache
from tunebench.backbone.layout import Layout
from tunebench.costs.passes import run_of
from tunebench.costs.subjects import base_of, subjects
from tunebench.methods import get_method

from tests import tiny

WORDS = tiny.DECODER.vocabulary


@pytest.fixture(params=["base", "lora", "prompt", "prefix"])
def classifiers(request):
    """The forms of one method on a decoder, or the base model."""
    base_model = tiny.backbone(tiny.DECODER)
    if request.param == "base":
        return [base_of(base_model)]
    return [one.classifier for one in subjects(base_model, get_method(request.param)())]


def test_each_pass_gives_the_logits_of_reading_everything_at_once(classifiers):
    torch.manual_seed(1)
    head, batch = nn.Linear(tiny.DECODER.width, WORDS), tiny.batch()
    last = batch.layout.cu_seqlens[1:].long() - 1
    for one in classifiers:
        assert torch.equal(run_of("classify", one, batch, None)(), one.logits(batch))
        states = one.backbone.encode(batch.ids, batch.layout)
        prefilled = run_of("prefill", one, batch, head)()
        assert torch.allclose(prefilled, head(states[last]), atol=1e-5)


def test_a_new_token_comes_after_the_same_prompts_each_time(classifiers):
    torch.manual_seed(1)
    head, batch = nn.Linear(tiny.DECODER.width, WORDS), tiny.batch()
    rows = batch.ids.split(batch.layout.lengths.tolist())
    longer = torch.cat([torch.cat([row, row[-1:]]) for row in rows])
    layout = Layout.from_lengths([len(row) + 1 for row in rows])
    for one in classifiers:
        run = run_of("new token", one, batch, head)
        first, second = run(), run()
        assert torch.equal(first, second)
        states = one.backbone.encode(longer, layout)
        assert torch.allclose(first, head(states[layout.cu_seqlens[1:].long() - 1]), atol=1e-5)


def test_a_cache_that_forgets_is_what_it_was():
    backbone, batch = tiny.backbone(tiny.DECODER), tiny.batch()
    cache = KVCache(batch.layout.sequences, room=9)
    backbone.encode(batch.ids, batch.layout, cache=cache)
    single = Layout.from_lengths([1] * batch.layout.sequences)
    first = backbone.encode(batch.ids[:4], single, cache=cache)
    cache.forget(1)
    assert cache.lengths.tolist() == batch.layout.lengths.tolist()
    backbone.encode(batch.ids[4:8], single, cache=cache)
    cache.forget(1)
    assert torch.equal(backbone.encode(batch.ids[:4], single, cache=cache), first)
