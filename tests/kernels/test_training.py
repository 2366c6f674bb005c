"""Training through the Triton kernels and through torch's attention gives the same losses."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from tunebench import kernels
from tunebench.backbone import positions
from tunebench.backbone.config import BackboneConfig
from tunebench.methods import get_method
from tunebench.training.classifier import Classifier

from tests import tiny

pytest.importorskip("triton", reason="triton is installed on Linux only")

METHODS = ("adapter", "lora", "p_tuning", "p_tuning_v2", "prefix", "prompt")
SMALL = {"heads": 2, "head_size": 16}
BACKBONES = {
    "encoder": replace(tiny.ENCODER, key_heads=2, **SMALL),
    "decoder": replace(tiny.DECODER, key_heads=1, **SMALL),
}
STEPS = 5


def losses(
    method: str, cfg: BackboneConfig, implementation: str, patch: pytest.MonkeyPatch
) -> list[float]:
    classifier = Classifier(tiny.backbone(cfg), outputs=2, lr=1e-3, head_dropout=0.0)
    torch.manual_seed(1)
    get_method(method)().attach(classifier.backbone)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    classifier = classifier.to(device)
    classifier.backbone.implementation = implementation
    rotating = "triton" if implementation == "triton" else "reference"
    rotate = partial(kernels.rotate, implementation=rotating)
    patch.setattr(positions.kernels, "rotate", rotate)
    weights = [p for p in classifier.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    batch = tiny.batch((9, 4)).to(device)
    losses = []
    for _ in range(STEPS):
        loss = classifier.training_step(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def equal(method: str, cfg: BackboneConfig) -> None:
    taken = []
    for implementation in ("triton", "sdpa"):
        with pytest.MonkeyPatch.context() as patch:
            taken.append(losses(method, cfg, implementation, patch))
    assert taken[0] == pytest.approx(taken[1], abs=1e-5)
    assert taken[0][-1] != taken[0][0]


@pytest.mark.parametrize("method", METHODS)
def test_five_steps_give_the_same_losses_as_torchs_attention(method):
    kind = "encoder" if METHODS.index(method) % 2 else "decoder"
    equal(method, replace(BACKBONES[kind], layers=1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(BACKBONES))
@pytest.mark.parametrize("method", METHODS)
def test_two_layers_give_the_same_losses_as_torchs_attention(method, kind):
    equal(method, BACKBONES[kind])
