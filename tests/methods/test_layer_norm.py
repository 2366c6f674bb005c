"""LayerNorm tuning: every norm and nothing else."""

import pytest
from torch import nn
from tunebench.methods import get_method

from tests import tiny


@pytest.mark.parametrize("shape", sorted(tiny.CONFIGS))
def test_every_norm_trains_and_nothing_else(shape):
    backbone = tiny.backbone(tiny.CONFIGS[shape])
    get_method("layer_norm")().attach(backbone)
    norms = [m for m in backbone.modules() if isinstance(m, (nn.LayerNorm, nn.RMSNorm))]
    wanted = {id(weight) for norm in norms for weight in norm.parameters()}
    assert {id(p) for p in backbone.parameters() if p.requires_grad} == wanted
    assert len(norms) == tiny.CONFIGS[shape].norm_count
