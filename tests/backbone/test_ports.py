"""The one verb: a port's occupant is replaced, and nothing else."""

import pytest
import torch
from torch import nn
from tunebench.backbone.ports import find, matching, plug, ports, weights

from tests import tiny


class Doubled(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return 2 * self.inner(x)


def test_plugging_replaces_the_occupant_in_every_block(cfg):
    backbone = tiny.backbone(cfg)
    before = dict(backbone.named_parameters())
    newcomers = plug(backbone, "blocks.*.after_mlp", Doubled)
    assert len(newcomers) == cfg.layers
    assert [backbone.blocks[i].after_mlp for i in range(cfg.layers)] == newcomers
    after = dict(backbone.named_parameters())
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_an_identity_in_every_port_changes_nothing(cfg):
    backbone, batch = tiny.backbone(cfg), tiny.batch()
    untouched = backbone.encode(batch.ids, batch.layout)
    for pattern in ports(backbone):
        plug(backbone, pattern, lambda occupant: occupant)
    assert torch.equal(backbone.encode(batch.ids, batch.layout), untouched)


def test_what_stands_in_a_port_is_heard(cfg):
    batch = tiny.batch()
    for pattern in ("blocks.*.attn.q", "blocks.*.mlp.up", "blocks.*.after_attn"):
        backbone = tiny.backbone(cfg)
        untouched = backbone.encode(batch.ids, batch.layout)
        plug(backbone, pattern, Doubled)
        assert not torch.allclose(backbone.encode(batch.ids, batch.layout), untouched, atol=1e-3)


def test_a_newcomer_takes_over_the_mode(cfg):
    for training in (True, False):
        backbone = tiny.backbone(cfg).train(training)
        assert [m.training for m in plug(backbone, "prompt", Doubled)] == [training]


def test_the_ports_are_those_that_the_module_lists(cfg):
    gate = ["blocks.*.mlp.gate"] if cfg.gated else []
    wanted = ["prompt", "memory", *(f"blocks.*.attn.{name}" for name in "qkvo"), *gate]
    wanted += [f"blocks.*.{name}" for name in ("mlp.up", "mlp.down", "after_attn", "after_mlp")]
    wanted.append("blocks.*.after")
    paths = ports(tiny.backbone(cfg))
    assert set(wanted) <= set(paths)
    assert set(paths) - set(wanted) <= {"norm", "norm_embedding"}


@pytest.mark.parametrize("pattern", ["blocks.*.attn.x", "blocks.*", "block", "memory.*"])
def test_a_pattern_that_fits_nothing_names_the_ports_there_are(pattern):
    backbone = nn.ModuleDict({"prompt": nn.Identity(), "memory": nn.Identity()})
    with pytest.raises(ValueError, match=r"no port .* \(there are: prompt, memory\)"):
        find(backbone, [pattern])


def test_weights_are_named_singly_by_module_or_all_together(cfg):
    backbone = tiny.backbone(cfg)
    every = dict(backbone.named_parameters())
    assert weights(backbone, [""]) == list(every.values())
    assert weights(backbone, ["blocks.*.attn.q.weight"]) == [
        every[f"blocks.{n}.attn.q.weight"] for n in range(cfg.layers)
    ]
    wanted = [weight for name, weight in every.items() if name.startswith("blocks.1.")]
    assert weights(backbone, ["blocks.1", "blocks.1.mlp"]) == wanted
    with pytest.raises(ValueError, match=r"no weight 'blocks\.\*\.attn\.x'"):
        weights(backbone, ["blocks.*.attn.x"])


def test_a_star_never_crosses_a_dot(cfg):
    backbone = tiny.backbone(cfg)
    assert list(matching(backbone, "blocks.*.attn.q")) == ["blocks.0.attn.q", "blocks.1.attn.q"]
    assert list(matching(backbone, "blocks.*.q")) == []
    assert list(matching(backbone, "*")) == [
        name for name, _ in backbone.named_modules() if name and "." not in name
    ]


def test_a_segment_is_matched_whole():
    root = nn.ModuleDict({"attn": nn.Identity(), "attn2": nn.Identity(), "xattn": nn.Identity()})
    assert list(matching(root, "attn")) == ["attn"]
    assert list(matching(root, "att*")) == []
