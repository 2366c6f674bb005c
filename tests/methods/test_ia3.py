"""IA³ against its paper's equations."""

import torch
from tunebench.methods import get_method
from tunebench.methods.ia3 import InputScaledLinear, ScaledLinear

from tests import tiny


def test_factors_scale_the_outputs_or_the_inputs():
    frozen, x = torch.nn.Linear(7, 5), torch.randn(3, 7)
    out, inner = ScaledLinear(frozen), InputScaledLinear(frozen)
    with torch.no_grad():
        out.scale.normal_()
        inner.scale.normal_()
    assert torch.allclose(out(x), out.scale * frozen(x))
    assert torch.allclose(inner(x), frozen(x * inner.scale))
    for made in (out, inner):
        assert made.weight is frozen.weight
        assert torch.allclose(made.fold()(x), made(x), atol=1e-6)


def test_it_scales_keys_values_and_the_inside_of_the_mlp():
    backbone = tiny.backbone(tiny.DECODER)
    get_method("ia3")().attach(backbone)
    cfg = backbone.cfg
    for block in backbone.blocks:
        assert len(block.attn.k.scale) == len(block.attn.v.scale) == cfg.key_heads * cfg.head_size
        assert len(block.mlp.down.scale) == cfg.hidden
    names = {name.rpartition(".")[2] for name, p in backbone.named_parameters() if p.requires_grad}
    assert names == {"scale"}
