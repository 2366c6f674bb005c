"""Prefixes: where the text's positions begin, and a prefix without its MLP."""

import pytest
import torch
from tunebench.backbone.layout import Layout
from tunebench.errors import UserError
from tunebench.methods import get_method

from tests import tiny

LAYOUT, KINDS = Layout.from_lengths((4, 3)), ["prefix", "p_tuning_v2"]
IDS = torch.arange(7) + 20


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("shape", sorted(tiny.CONFIGS))
def test_an_offset_of_length_moves_the_text_behind_the_prefix(name, shape):
    states = {}
    for offset in ("none", "length"):
        backbone = tiny.backbone(tiny.CONFIGS[shape])
        torch.manual_seed(3)
        get_method(name)(length=5, position_offset=offset).attach(backbone)
        moved = torch.full((7,), 5 if offset == "none" else -5)
        states[offset, "as it is"] = backbone.encode(IDS, LAYOUT)
        states[offset, "moved"] = backbone.encode(IDS, LAYOUT, shift=moved)
    assert torch.allclose(states["length", "as it is"], states["none", "moved"], atol=1e-5)
    assert torch.allclose(states["none", "as it is"], states["length", "moved"], atol=1e-5)
    assert not torch.allclose(states["none", "as it is"], states["length", "as it is"], atol=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_an_offset_takes_positions_of_the_context(name):
    cfg = tiny.ENCODER
    assert get_method(name)(length=70).inserted(cfg) == 0
    get_method(name)(length=70).attach(tiny.backbone(cfg))
    moved = get_method(name)(length=60, position_offset="length")
    assert moved.inserted(cfg) == 60
    backbone = tiny.backbone(cfg)
    moved.attach(backbone)
    with pytest.raises(ValueError, match=r"got 65 positions in a context of 64"):
        backbone.encode(torch.arange(5), Layout.from_lengths([5]))
    with pytest.raises(UserError, match=r"`length < context` must hold.*length=64"):
        get_method(name)(length=64, position_offset="length").attach(tiny.backbone(cfg))


def test_a_prefix_without_an_mlp_is_p_tuning_v2():
    backbones = []
    for name, settings in (("prefix", {"hidden": 0}), ("p_tuning_v2", {})):
        backbones.append(tiny.backbone(tiny.DECODER))
        torch.manual_seed(3)
        get_method(name)(length=5, **settings).attach(backbones[-1])
    one, other = (backbone.encode(IDS, LAYOUT) for backbone in backbones)
    assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "setting", "value", "least"),
    [
        ("prefix", "hidden", -1, 0),
        ("prefix", "length", 0, 1),
        ("p_tuning_v2", "length", 0, 1),
    ],
)
def test_a_wrong_size_is_refused_with_its_condition_and_its_value(name, setting, value, least):
    backbone = tiny.backbone(tiny.ENCODER)
    refusal = rf"methods\.{name}: `{setting} >= {least}` must hold, but got \({setting}={value}\)$"
    with pytest.raises(UserError, match=refusal):
        get_method(name)(**{setting: value}).attach(backbone)
    get_method(name)(**{setting: least}).attach(backbone)
