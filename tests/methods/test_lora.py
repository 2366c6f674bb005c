"""LoRA and DoRA against their papers' equations."""

import math

import pytest
import torch
from torch.nn import functional as F
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.methods.lora import DoRALinear, LowRankLinear

from tests import tiny

LoRA = get_method("lora")


@pytest.fixture
def frozen():
    return torch.nn.Linear(7, 5)


def moved(occupant, kind, **settings):
    made = kind(occupant, **({"rank": 2, "scale": 3.0, "dropout": 0.0} | settings))
    with torch.no_grad():
        for name in ("a", "b", "magnitude"):
            if hasattr(made, name):
                getattr(made, name).add_(0.3 * torch.randn_like(getattr(made, name)))
    return made


def test_the_weights_are_shared_not_copied(frozen):
    for kind in (LowRankLinear, DoRALinear):
        made = kind(frozen, 2, 1.0, 0.0)
        assert made.weight is frozen.weight
        assert made.bias is frozen.bias


def test_lora_is_its_equation(frozen):
    made, x = moved(frozen, LowRankLinear), torch.randn(3, 7)
    wanted = x @ (made.weight + 3.0 * made.b @ made.a).T + made.bias
    assert torch.allclose(made(x), wanted, atol=1e-6)


def test_dora_is_its_equation_with_a_constant_norm(frozen):
    made, x = moved(frozen, DoRALinear), torch.randn(3, 7)
    weight = made.weight + 3.0 * made.b @ made.a
    norm = weight.detach().pow(2).sum(1).sqrt()
    wanted = x @ (made.magnitude[:, None] * weight / norm[:, None]).T + made.bias
    assert torch.allclose(made(x), wanted, atol=1e-6)
    trained = (made.a, made.b, made.magnitude)
    gradients = torch.autograd.grad(made(x).pow(2).sum(), trained)
    for one, other in zip(
        gradients, torch.autograd.grad(wanted.pow(2).sum(), trained), strict=True
    ):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_dora_s_rows_have_their_magnitudes_as_norms_when_folded(frozen):
    made = moved(frozen, DoRALinear)
    assert torch.allclose(made.fold().weight.norm(dim=1), made.magnitude.abs(), atol=1e-6)


def test_the_scale_is_alpha_by_the_rank_or_by_its_root():
    assert LoRA(rank=16, alpha=8.0).scale == 0.5
    assert LoRA(rank=16, alpha=8.0, rank_stabilised=True).scale == 2.0
    assert LoRA(rank=8, alpha=8.0, rank_stabilised=True).scale == 8.0 / math.sqrt(8)


@pytest.mark.parametrize(
    ("settings", "requirement"),
    [
        ({"rank": 33}, r"`1 <= rank <= min\(in, out\)` must hold, but got \(rank=33, min=32\)"),
        ({"rank": 0}, "1 <= rank"),
        ({"sites": ()}, "at least one site"),
        ({"sites": ("attn.q", "attn.q")}, "no site twice"),
        ({"sites": ("attn.z",)}, "site=attn.z"),
        ({"dropout": 1.0}, "0 <= dropout < 1"),
        ({"alpha": 0.0}, "alpha > 0"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_law(settings, requirement):
    with pytest.raises(UserError, match=f"methods.lora: .*{requirement}"):
        LoRA(**settings).attach(tiny.backbone(tiny.ENCODER))


@pytest.mark.parametrize("kind", [LowRankLinear, DoRALinear])
def test_dropout_is_of_the_update_s_input_and_of_training_alone(frozen, kind):
    made, x = moved(frozen, kind, dropout=0.5), torch.randn(3, 7)
    plain = kind(frozen, 2, 3.0, 0.0)
    plain.load_state_dict(made.state_dict())
    assert torch.equal(made.eval()(x), plain(x))
    made.train()
    torch.manual_seed(7)
    dropped = F.dropout(x, 0.5)
    torch.manual_seed(7)
    wanted = plain(dropped) + F.linear(x - dropped, made.weight)
    if kind is LowRankLinear:
        assert torch.allclose(made(x), wanted, atol=1e-6)
    else:
        gain = made.magnitude / (made.weight + 3.0 * made.b @ made.a).norm(dim=1)
        wanted = plain(dropped) + gain * F.linear(x - dropped, made.weight)
        assert torch.allclose(made(x), wanted, atol=1e-6)


def test_a_rank_above_a_map_is_read_from_a_file_but_not_trained(tmp_path):
    wide, backbone = LoRA(rank=33, sites=("attn.k",)), tiny.backbone(tiny.ENCODER)
    wide.attach(backbone, restored=True)
    wide.save(tmp_path / "wide.safetensors", backbone)
    again = LoRA(rank=33, sites=("attn.k",))
    again.load(tmp_path / "wide.safetensors", tiny.backbone(tiny.ENCODER))
    with pytest.raises(UserError, match="1 <= rank"):
        LoRA(rank=0).attach(tiny.backbone(tiny.ENCODER), restored=True)
