"""A configuration and a reader of tensors → a `Backbone` with those weights."""

from __future__ import annotations

import torch
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.positions import SCHEMES
from ..errors import UserError
from .format import Missing, Read


def build_backbone(cfg: BackboneConfig, read: Read) -> Backbone:
    """A backbone in fp32 and evaluation mode, every weight of which was read.

    Raises:
        UserError: A tensor is missing or does not fit.
    """
    # On the meta device first: weights that are about to be overwritten are never drawn.
    with torch.device("meta"):
        backbone = Backbone(cfg)
    backbone = backbone.to_empty(device="cpu")
    _compute_position_tables(backbone)
    for name, parameter in backbone.named_parameters():
        with torch.no_grad():
            parameter.copy_(read(name, tuple(parameter.shape)))
    if cfg.positions == "sinusoidal":
        _check_sinusoidal(backbone, read)
    return backbone.eval()


def _compute_position_tables(backbone: Backbone) -> None:
    """Position tables are computed, not stored: `to_empty` left them without values."""
    scheme = backbone.positions
    computed = SCHEMES[backbone.cfg.positions](backbone.cfg)
    for name, table in computed.named_buffers():
        setattr(scheme, name, table)


def _check_sinusoidal(backbone: Backbone, read: Read) -> None:
    """Refuse a stored table of positions that is not the sinusoids its settings say it is."""
    table: Tensor = backbone.positions.get_buffer("table")
    try:
        stored = read("positions.table.weight", tuple(table.shape))
    except Missing:
        return
    if not torch.allclose(stored, table, rtol=0, atol=1e-3):
        raise UserError("the checkpoint's positions are to be sinusoidal, but its table is not")
