"""IA³: factors of keys, of values and of what the MLP computed inside.

Ours is `scale` behind a map's path, PEFT's `.ia3_l` behind its name: (out 1) where outputs are
scaled, (1 in) in the feed-forward modules, whose inputs are.

PEFT's own choice for BERT names `output.dense`, which ends the name of attention's output map too,
so that its files scale that map's inputs as well. Attention averages values, and a factor behind
an average is a factor of what is averaged: these are factors of the values, where every query head
has values of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..errors import UserError
from ..methods.base import Method, trained
from .folder import Tensors
from .parts import Given, Taken, made
from .settings import Known
from .side import PeftNames

LEAF = "ia3_l"
OUTPUTS, INPUTS = ("attn.k", "attn.v"), ("mlp.down",)
GATHERED = "attn.o"
KNOWN = Known(
    read=frozenset(),
    idle=frozenset(
        {"target_modules", "feedforward_modules", "exclude_modules", "fan_in_fan_out"},
    ),
    only={"init_ia3_weights": (True, False)},
)


def give(method: Method, backbone: Backbone, side: PeftNames, root: str) -> Given:
    """Ours → PEFT's; see `Give`."""
    own = trained(backbone)
    shapes = dict.fromkeys(OUTPUTS, (-1, 1)) | dict.fromkeys(INPUTS, (1, -1))
    tensors = {
        f"{source_name}.{LEAF}": own[f"{ours}.scale"].reshape(shape)
        for site, shape in shapes.items()
        for ours, source_name in side.modules(site, root)
    }
    settings = {
        "peft_type": "IA3",
        "target_modules": side.targets((*OUTPUTS, *INPUTS)),
        "feedforward_modules": side.targets(INPUTS),
        "fan_in_fan_out": side.family.transposed,
        "init_ia3_weights": True,
    }
    return Given(settings, tensors)


def take(
    settings: Mapping[str, Any], tensors: Tensors, side: PeftNames, cfg: BackboneConfig
) -> Taken:
    """PEFT's → ours; see `Take`."""
    KNOWN.check(settings)
    root, sites = side.carried(tensors, LEAF)
    weights: dict[str, Tensor] = {}
    for site in (*OUTPUTS, *INPUTS):
        inside, out = cfg.linear(site)
        shape = (out, 1) if site in OUTPUTS else (1, inside)
        for ours, source_name in side.modules(site, root):
            weights[f"{ours}.scale"] = tensors.take(f"{source_name}.{LEAF}", shape).flatten()
    if GATHERED in sites:
        _into_values(weights, tensors, side, cfg, root)
    return Taken(made("ia3"), weights)


def _into_values(
    weights: dict[str, Tensor], tensors: Tensors, side: PeftNames, cfg: BackboneConfig, root: str
) -> None:
    """Turn factors behind the average into factors of the values."""
    if cfg.heads != cfg.key_heads:
        raise UserError(
            f"the file scales what each of {cfg.heads} heads gathers, but only {cfg.key_heads} "
            "have values of their own: IA3 here scales keys, values and the MLP"
        )
    gathered = side.modules(GATHERED, root)
    for (values, _), (_, source_name) in zip(side.modules("attn.v", root), gathered, strict=True):
        behind = tensors.take(f"{source_name}.{LEAF}", (1, cfg.linear(GATHERED)[0])).flatten()
        weights[f"{values}.scale"] = weights[f"{values}.scale"] * behind
