"""Every method finds its ports on what other families have, and counts what it trains there."""

import pytest
import torch
from tunebench.errors import UserError
from tunebench.methods import get_method, names

from tests import contract, tiny

DECODERS = sorted(name for name, cfg in tiny.FAMILIES.items() if cfg.causal)


@pytest.mark.parametrize("shape", sorted(tiny.FAMILIES))
@pytest.mark.parametrize("name", names())
def test_a_method_plugs_on_every_family_and_folds(name, shape):
    cfg = tiny.FAMILIES[shape]
    try:
        get_method(name)().check(cfg)
    except UserError:
        pytest.skip("the method says that it finds nothing to train here")
    contract.trainable_count_equals_the_closed_form(name, cfg)
    contract.folding_changes_no_more_than_rounding(name, cfg)


@pytest.mark.parametrize("shape", [name for name in DECODERS if name != "dynamic"])
@pytest.mark.parametrize("name", ["lora", "prefix", "prompt"])
def test_a_cache_gives_what_the_full_forward_gives(name, shape):
    contract.cached_decoding_equals_the_full_forward(name, tiny.FAMILIES[shape])


@pytest.mark.parametrize("shape", sorted(tiny.FAMILIES))
def test_the_reference_kernels_give_the_same(shape):
    backbone, batch = tiny.backbone(tiny.FAMILIES[shape]), tiny.batch()
    with torch.no_grad():
        fast = backbone.encode(batch.ids, batch.layout)
        backbone.implementation = "reference"
        slow = backbone.encode(batch.ids, batch.layout)
    assert torch.allclose(fast, slow, rtol=0, atol=1e-5 * float(slow.abs().max()))
