"""The gradients of one scalar loss in two networks, weight by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from tunebench.backbone.model import Backbone

from tests.parity.conftest import Padded
from tests.parity.families import part_of


def close(gradient: Tensor, wanted: Tensor, share: float) -> bool:
    """Within a share of the largest value."""
    return float((gradient - wanted).abs().max()) <= share * float(wanted.abs().max())


def gradients_agree(
    peer: nn.Module, ours: Backbone, batch: Padded, named: Mapping[str, Any], kind: str
) -> None:
    """A random weighing of all final states gives every weight their gradient, within 1e-4."""
    torch.manual_seed(9)
    weights = torch.randn(int(batch.mask.sum()), ours.cfg.width)
    segments = batch.segments if ours.cfg.segments > 1 else None
    known, ours_by_name = dict(peer.named_parameters()), dict(ours.named_parameters())
    wanted = batch.real(peer(batch.ids, **named).last_hidden_state)
    peer_gradients = torch.autograd.grad(
        (wanted * weights).sum(), list(known.values()), allow_unused=True
    )
    states = batch.real(ours(batch.ids, batch.mask, segments))
    our_gradients = torch.autograd.grad((states * weights).sum(), list(ours_by_name.values()))
    gradients = {name: g for name, g in zip(known, peer_gradients, strict=True) if g is not None}
    for name, gradient in zip(ours_by_name, our_gradients, strict=True):
        # Without rotation a key's bias shifts all scores of a query alike: rounding alone.
        if name.endswith("attn.k.bias") and ours.cfg.positions != "rotary":
            largest = max(float(g.abs().max()) for g in our_gradients)
            assert float(gradient.abs().max()) < 1e-4 * largest
            continue
        assert close(gradient, part_of(gradients, name, kind), 1e-4), name
