"""LoRA, rank-stabilised LoRA and DoRA: PEFT's files hold the same matrices as ours.

Its adapter may stand in some layers alone (`layers_to_transform`). Ours stands in all of them: a
map without an adapter in the file begins with B = 0, which changes nothing.

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
from .names import BASE, PeftNames
from .parts import Exported, ReadAdapter, method_of
from .settings import Known, demands, flag, real, tidy, whole

LEAVES = {"a": "lora_A.weight", "b": "lora_B.weight", "magnitude": "lora_magnitude_vector"}
"""PEFT's names of a map's tensors by ours."""
ALPHA = 8
"""PEFT's `lora_alpha` where a file does not have the setting."""
KNOWN = Known(
    read=frozenset({"r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora"}),
    idle=frozenset(
        {
            "target_modules",
            "exclude_modules",
            # PEFT sets it by itself: true for GPT-2's maps, which store (in, out).
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
        # The other starts, such as "pissa", change the frozen weights too.
        "init_lora_weights": (True, False, "gaussian", "orthogonal"),
    },
)


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Ours to PEFT's; see `Exporter`."""
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
    """PEFT's to ours; see `Importer`."""
    KNOWN.check(settings)
    rank, dora = whole(settings, "r"), flag(settings, "use_dora")
    root, sites = names.adapted_sites(tensors, LEAVES["a"])
    method = method_of(
        "lora",
        rank=rank,
        alpha=real(settings, "lora_alpha", ALPHA),
        dropout=real(settings, "lora_dropout", 0.0),
        sites=sites,
        rank_stabilised=flag(settings, "use_rslora"),
        dora=dora,
    )
    weights: dict[str, Tensor] = {}
    untouched: list[str] = []
    for site in names.unfused_sites:
        width, out = cfg.linear(site)
        shapes = {"a": (rank, width), "b": (out, rank)} | ({"magnitude": (out,)} if dora else {})
        for layer, (ours, source_name) in enumerate(names.modules(site, root)):
            leaves = {name: f"{source_name}.{LEAVES[name]}" for name in shapes}
            there = any(leaf in tensors for leaf in leaves.values())
            if there or demands(settings, source_name.removeprefix(BASE), layer):
                for name, shape in shapes.items():
                    weights[f"{ours}.{name}"] = tensors.read(leaves[name], shape)
            elif site in sites:
                untouched.append(ours)
    return ReadAdapter(method, weights, _wide(rank, sites, cfg), tuple(untouched))


def _wide(rank: int, sites: tuple[str, ...], cfg: BackboneConfig) -> tuple[str, ...]:
    """A note on a rank that is above what a map can have, which PEFT allows."""
    narrow = min(sites, key=lambda site: min(cfg.linear(site)))
    smaller = min(cfg.linear(narrow))
    if rank <= smaller:
        return ()
    return (f"rank {rank} is more than '{narrow}' can have: its smaller side is {smaller}",)
