"""LoRA, rank-stabilised LoRA and DoRA: the same two matrices and magnitudes on both sides.

ours                  PEFT's, after the map's name          shape
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
from .names import PeftNames
from .parts import Exported, ReadAdapter, made
from .settings import Known, flag, real, tidy, whole

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


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Ours → PEFT's; see `Exporter`."""
    hyperparameters = method.hyperparameters()
    sites, weights = hyperparameters["sites"], trained(backbone)
    tensors = {
        f"{source_name}.{leaf}": weights[f"{ours}.{name}"]
        for site in sites
        for ours, source_name in names.modules(site, root)
        for name, leaf in LEAVES.items()
        if f"{ours}.{name}" in weights
    }
    settings = {
        "peft_type": "LORA",
        "r": hyperparameters["rank"],
        "lora_alpha": tidy(hyperparameters["alpha"]),
        "lora_dropout": hyperparameters["dropout"],
        "use_rslora": hyperparameters["rank_stabilised"],
        "use_dora": hyperparameters["dora"],
        "target_modules": names.targets(sites),
        "bias": "none",
        "fan_in_fan_out": names.family.transposed,
        "init_lora_weights": True,
    }
    return Exported(settings, tensors)


def import_(
    settings: Mapping[str, Any], tensors: Tensors, names: PeftNames, cfg: BackboneConfig
) -> ReadAdapter:
    """PEFT's → ours; see `Importer`."""
    KNOWN.check(settings)
    rank, dora = whole(settings, "r"), flag(settings, "use_dora")
    root, sites = names.carried(tensors, LEAVES["a"])
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
        for ours, source_name in names.modules(site, root):
            for name, shape in shapes.items():
                weights[f"{ours}.{name}"] = tensors.read(f"{source_name}.{LEAVES[name]}", shape)
    return ReadAdapter(method, weights)
