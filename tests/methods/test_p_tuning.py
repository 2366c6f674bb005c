"""P-tuning: the encoder may be as narrow as one unit, and is as its paper draws it."""

import pytest
import torch
from torch import nn
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.methods.p_tuning import Recurrent

from tests import tiny


@pytest.mark.parametrize("encoder", ["lstm", "mlp"])
def test_an_encoder_has_at_least_one_unit(encoder):
    get_method("p_tuning")(encoder=encoder, hidden=1).attach(tiny.backbone(tiny.ENCODER))
    with pytest.raises(UserError, match="hidden >= 1"):
        get_method("p_tuning")(encoder=encoder, hidden=0).attach(tiny.backbone(tiny.ENCODER))


def test_each_vector_is_made_of_the_seeds_on_both_sides_of_it():
    torch.manual_seed(0)
    encoder, seeds = Recurrent(6, 4).double(), torch.randn(5, 6, dtype=torch.float64)
    assert [type(part) for part in encoder.mlp] == [nn.Linear, nn.ReLU, nn.Linear]
    before = encoder(seeds)
    for place in range(5):
        moved = seeds.clone()
        moved[place] += 1.0
        assert ((encoder(moved) - before).abs().amax(1) > 0).all()
