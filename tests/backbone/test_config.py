"""Counts in closed form against introspection; shapes that no network can have."""

import dataclasses
import itertools

import pytest
from tunebench.backbone.config import BackboneConfig
from tunebench.backbone.model import Backbone
from tunebench.backbone.ports import matching

from tests.tiny import DECODER, ENCODER, FAMILIES

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
] + list(FAMILIES.values())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_closed_form_counts_what_is_there(shape: BackboneConfig):
    backbone = Backbone(shape)
    assert shape.count() == sum(p.numel() for p in backbone.parameters())
    norms = [p.numel() for p in weights_of_norms(backbone, shape)]
    assert sum(norms) == shape.norm_count * shape.norm_size


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_names_and_shapes_are_those_of_the_network(shape: BackboneConfig):
    wanted = {name: tuple(p.shape) for name, p in Backbone(shape).named_parameters()}
    listed = list(shape.parameters())
    assert dict(listed) == wanted
    assert len(listed) == len(wanted)


def weights_of_norms(backbone, shape):
    """The weights that the configuration's patterns of norms name."""
    for pattern in shape.norms:
        for path in matching(backbone, pattern):
            yield from backbone.get_submodule(path).parameters()


def test_every_site_is_a_linear_map_of_the_widths_it_says(cfg):
    block = Backbone(cfg).blocks[0]
    for site in cfg.sites:
        port = block.get_submodule(site)
        assert (port.in_features, port.out_features) == cfg.linear(site)
        assert (port.bias is not None) == cfg.biased(site) == cfg.bias


def test_an_unknown_site_names_those_there_are():
    with pytest.raises(ValueError, match=r"no linear map 'mlp.gate' .* attn.q, .* mlp.down"):
        ENCODER.linear("mlp.gate")


def test_key_heads_divide_heads():
    with pytest.raises(ValueError, match=r"but got \(heads=4, key_heads=3\)"):
        dataclasses.replace(DECODER, key_heads=3)
