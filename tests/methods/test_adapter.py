"""Adapters at their three places against the papers' equations."""

import pytest
import torch
from torch.nn import functional as F
from tunebench.backbone.layout import Layout
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.methods.adapter import Bottleneck

from tests import tiny

ACTIVATIONS = {"silu": F.silu, "relu": F.relu, "gelu": F.gelu, "tanh": torch.tanh}
LAYOUT = Layout.from_lengths((3, 2))


def attached(cfg, **settings):
    """A backbone of one layer with an adapter whose weights hide nothing."""
    backbone = tiny.backbone(cfg)
    get_method("adapter")(bottleneck=6, **settings).attach(backbone)
    with torch.no_grad():
        for module in backbone.modules():
            if isinstance(module, Bottleneck):
                for weight in module.parameters():
                    weight.normal_(std=0.3)
    return backbone


def change(adapter, h, activation):
    return activation(h @ adapter.down.weight.T + adapter.down.bias) @ adapter.up.weight.T + (
        adapter.up.bias
    )


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("shape", sorted(tiny.CONFIGS))
@pytest.mark.parametrize("place", ["houlsby", "pfeiffer", "parallel"])
def test_a_block_is_the_paper_s_equation(place, shape, activation):
    cfg = tiny.CONFIGS[shape]
    old_model = tiny.backbone(cfg)
    tuned = attached(cfg, place=place, activation=activation, scale=1.5)
    activation, old, new = ACTIVATIONS[activation], old_model.blocks[0], tuned.blocks[0]
    seen = {}
    old.after_attn.register_forward_hook(lambda m, args, out: seen.update(attention=out))
    ids = torch.randint(0, 50, (5,))
    x = {}
    old.register_forward_pre_hook(lambda m, args: x.update(x=args[0]))
    results = {}
    new.register_forward_hook(lambda m, args, out: results.update(out=out))
    with torch.no_grad():
        old_model.encode(ids, LAYOUT)
        tuned.encode(ids, LAYOUT)
        x, gathered = x["x"], seen["attention"]
        if place == "houlsby":
            gathered = gathered + change(new.after_attn, gathered, activation)
        after = cfg.norm_place == "after"
        middle = old.norm_attn(x + gathered) if after else x + gathered
        inner = middle if after else old.norm_mlp(middle)
        expected = old.mlp(inner)
        if place == "houlsby":
            expected = expected + change(new.after_mlp, expected, activation)
        if place == "parallel":
            expected = expected + 1.5 * change(new.mlp.adapter, inner, activation)
        total = middle + expected
        if place == "pfeiffer" and after:
            total = total + change(new.norm_mlp.adapter, old.norm_mlp(total), activation)
        if place == "pfeiffer" and not after:
            total = total + change(new.after, total, activation)
        wanted = old.norm_mlp(total) if after else total
    assert torch.allclose(results["out"], wanted, atol=2e-5)


@pytest.mark.parametrize("place", ["houlsby", "pfeiffer", "parallel"])
@pytest.mark.parametrize("shape", sorted(tiny.CONFIGS))
def test_norms_train_where_asked(shape, place):
    cfg = tiny.CONFIGS[shape]
    counts = [
        get_method("adapter")(place=place, train_norms=norms).trainable(cfg)
        for norms in (True, False)
    ]
    assert counts[0] - counts[1] == 2 * cfg.layers * cfg.norm_size
    for norms in (True, False):
        get_method("adapter")(place=place, train_norms=norms).attach(tiny.backbone(cfg))


@pytest.mark.parametrize("settings", [{"bottleneck": 33}, {"bottleneck": 0}, {"scale": 0.0}])
def test_a_wrong_setting_is_refused(settings):
    with pytest.raises(UserError, match=r"methods\.adapter: "):
        get_method("adapter")(**settings).attach(tiny.backbone(tiny.ENCODER))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_new_block_changes_nothing_and_its_shifts_are_zero(activation):
    block = Bottleneck(8, 3, activation)
    h = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(block(h), h)
    assert not block.down.bias.any()
    assert not block.up.bias.any()
    # The way down is not zero, or no gradient would reach the way up.
    assert block.down.weight.any()
