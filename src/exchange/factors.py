"""IA³: factors of keys, of values and of what the MLP computed inside.

Ours is `scale` after a map's path, PEFT's `.ia3_l` after its name: (out 1) where outputs are
scaled, (1 in) in the feed-forward modules, whose inputs are.

PEFT's own choice for BERT names `output.dense`, which ends the name of attention's output map too,
so that its files scale that map's inputs as well. Attention averages values, and a factor after
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
from .names import PeftNames
from .parts import Exported, ReadAdapter, made
from .settings import Known

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


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Ours → PEFT's; see `Exporter`."""
    weights = trained(backbone)
    shapes = dict.fromkeys(OUTPUTS, (-1, 1)) | dict.fromkeys(INPUTS, (1, -1))
    tensors = {
        f"{source_name}.{LEAF}": weights[f"{ours}.scale"].reshape(shape)
        for site, shape in shapes.items()
        for ours, source_name in names.modules(site, root)
    }
    settings = {
        "peft_type": "IA3",
        "target_modules": names.targets((*OUTPUTS, *INPUTS)),
        "feedforward_modules": names.targets(INPUTS),
        "fan_in_fan_out": names.family.transposed,
        "init_ia3_weights": True,
    }
    return Exported(settings, tensors)


def import_(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """PEFT's → ours; see `Importer`."""
    KNOWN.check(settings)
    root, sites = names.carried(tensors, LEAF)
    weights: dict[str, Tensor] = {}
    for site in (*OUTPUTS, *INPUTS):
        inside, out = cfg.linear(site)
        shape = (out, 1) if site in OUTPUTS else (1, inside)
        for ours, source_name in names.modules(site, root):
            weights[f"{ours}.scale"] = tensors.read(f"{source_name}.{LEAF}", shape).flatten()
    if GATHERED in sites:
        _into_values(weights, tensors, names, cfg, root)
    return ReadAdapter(made("ia3"), weights)


def _into_values(
    weights: dict[str, Tensor], tensors: Tensors, names: PeftNames, cfg: BackboneConfig, root: str
) -> None:
    """Turn factors after the average into factors of the values."""
    if cfg.heads != cfg.key_heads:
        raise UserError(
            f"the file scales what each of {cfg.heads} heads gathers, but only {cfg.key_heads} "
            "have values of their own: IA3 here scales keys, values and the MLP"
        )
    gathered = names.modules(GATHERED, root)
    for (values, _), (_, source_name) in zip(names.modules("attn.v", root), gathered, strict=True):
        gathered_scale = tensors.read(
            f"{source_name}.{LEAF}", (1, cfg.linear(GATHERED)[0])
        ).flatten()
        weights[f"{values}.scale"] = weights[f"{values}.scale"] * gathered_scale
