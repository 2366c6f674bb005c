"""Operations in closed form beside those that torch counts in plain products."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from tunebench.backbone.layout import Layout
from tunebench.costs.operations import forward_operations

from tests import tiny


@pytest.mark.parametrize("shape", tiny.CONFIGS)
@pytest.mark.parametrize("lengths", [(7,), (3, 2, 9)])
def test_the_closed_form_counts_what_torch_counts(shape, lengths):
    cfg = tiny.CONFIGS[shape]
    backbone = tiny.backbone(cfg)
    backbone.implementation = "reference"
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone.encode(torch.ones(sum(lengths), dtype=torch.int64), Layout.from_lengths(lengths))
    assert forward_operations(cfg, lengths) == counter.get_total_flops()
