"""BitFit: every bias and nothing else."""

import dataclasses

import pytest
from tunebench.errors import UserError
from tunebench.methods import get_method

from tests import tiny


def test_every_bias_trains_and_nothing_else():
    backbone = tiny.backbone(tiny.ENCODER)
    get_method("bitfit")().attach(backbone)
    for name, weight in backbone.named_parameters():
        assert weight.requires_grad == (name.rpartition(".")[2] == "bias"), name


def test_a_backbone_without_biases_is_refused_before_anything_is_frozen():
    backbone = tiny.backbone(tiny.DECODER)
    with pytest.raises(UserError, match=r"methods.bitfit: this backbone has no bias"):
        get_method("bitfit")().attach(backbone)
    assert all(weight.requires_grad for weight in backbone.parameters())


def test_norms_alone_may_have_the_biases():
    cfg = dataclasses.replace(tiny.ENCODER, bias=False)
    assert get_method("bitfit")().trainable(cfg) == (2 * cfg.layers + 1) * cfg.width
    get_method("bitfit")().attach(tiny.backbone(cfg))
