"""LoRA, rank-stabilised LoRA and DoRA: the same two matrices and magnitudes on both sides.

ours                  PEFT's, behind the map's name          shape
`a`                   `.lora_A.weight`                       r in
`b`                   `.lora_B.weight`                       out r
`magnitude`           `.lora_magnitude_vector`               out
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..methods.base import Method, trained
from .folder import Tensors
from .parts import Given, Taken, made
from .settings import Known, flag, real, tidy, whole
from .side import PeftNames

LEAVES = {"a": "lora_A.weight", "b": "lora_B.weight", "magnitude": "lora_magnitude_vector"}
KNOWN = Known(
    read=frozenset({"r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora"}),
    idle=frozenset(
        {
            "target_modules",
            "exclude_modules",
            # PEFT sets it by what it finds: true for GPT-2's maps, which lie (in out) there.
            "fan_in_fan_out",
            "layers_to_transform",
            "layers_pattern",
            "megatron_core",
            "qalora_group_size",
            "runtime_config",
        }
    ),
    only={
        "bias": ("none",),
        # The other starts change the frozen weights too.
        "init_lora_weights": (True, False, "gaussian", "orthogonal"),
    },
)


def give(method: Method, backbone: Backbone, side: PeftNames, root: str) -> Given:
    """Ours → PEFT's; see `Give`."""
    told = method.hyperparameters()
    sites, own = told["sites"], trained(backbone)
    tensors = {
        f"{source_name}.{leaf}": own[f"{ours}.{name}"]
        for site in sites
        for ours, source_name in side.modules(site, root)
        for name, leaf in LEAVES.items()
        if f"{ours}.{name}" in own
    }
    settings = {
        "peft_type": "LORA",
        "r": told["rank"],
        "lora_alpha": tidy(told["alpha"]),
        "lora_dropout": told["dropout"],
        "use_rslora": told["rank_stabilised"],
        "use_dora": told["dora"],
        "target_modules": side.targets(sites),
        "bias": "none",
        "fan_in_fan_out": side.family.transposed,
        "init_lora_weights": True,
    }
    return Given(settings, tensors)


def take(
    settings: Mapping[str, Any], tensors: Tensors, side: PeftNames, cfg: BackboneConfig
) -> Taken:
    """PEFT's → ours; see `Take`."""
    KNOWN.check(settings)
    rank, dora = whole(settings, "r"), flag(settings, "use_dora")
    root, sites = side.carried(tensors, LEAVES["a"])
    method = made(
        "lora",
        rank=rank,
        alpha=real(settings, "lora_alpha", 8),
        dropout=real(settings, "lora_dropout", 0.0),
        sites=sites,
        rank_stabilised=flag(settings, "use_rslora"),
        dora=dora,
    )
    weights: dict[str, Tensor] = {}
    for site in sites:
        width, out = cfg.linear(site)
        shapes = {"a": (rank, width), "b": (out, rank)} | ({"magnitude": (out,)} if dora else {})
        for ours, source_name in side.modules(site, root):
            for name, shape in shapes.items():
                weights[f"{ours}.{name}"] = tensors.take(f"{source_name}.{LEAVES[name]}", shape)
    return Taken(method, weights)
