"""Counts in closed form against introspection; shapes that no network can have."""

import dataclasses
import itertools

import pytest
from tunebench.backbone.config import BackboneConfig
from tunebench.backbone.model import Backbone

from tests.tiny import DECODER, ENCODER

SHAPES = [
    dataclasses.replace(
        base, positions=positions, norm=norm, norm_place=place, mlp=mlp, layers=layers, bias=bias
    )
    for (base, layers), positions, norm, place, mlp, bias in itertools.islice(
        itertools.product(
            [(ENCODER, 1), (DECODER, 3)],
            ["learned", "rotary", "sinusoidal"],
            ["layer", "rms"],
            ["before", "after"],
            ["gelu", "geglu", "swiglu"],
            [False, True],
        ),
        0,
        None,
        5,
    )
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_closed_form_counts_what_is_there(shape: BackboneConfig):
    assert shape.count() == sum(p.numel() for p in Backbone(shape).parameters())


def test_every_site_is_a_linear_map_of_the_widths_it_says(cfg):
    block = Backbone(cfg).blocks[0]
    for site in cfg.sites:
        port = block.get_submodule(site)
        assert (port.in_features, port.out_features) == cfg.linear(site)
        assert (port.bias is not None) == cfg.bias


def test_an_unknown_site_names_those_there_are():
    with pytest.raises(ValueError, match=r"no linear map 'mlp.gate' .* attn.q, .* mlp.down"):
        ENCODER.linear("mlp.gate")


def test_key_heads_divide_heads():
    with pytest.raises(ValueError, match=r"but got \(heads=4, key_heads=3\)"):
        dataclasses.replace(DECODER, key_heads=3)
