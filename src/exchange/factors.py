"""IA³: factors of keys, of values and of what the MLP computed inside.

Ours is `scale` after a map's path, PEFT's `.ia3_l` after its name: (out 1) where outputs are
scaled, (1 in) in the feed-forward modules, whose inputs are. A map without factors in the file has
factors of one, which change nothing.

PEFT's own choice for BERT names `output.dense`, which ends the name of attention's output map too,
so that its files scale that map's inputs as well. Attention averages values, and a factor after
an average is a factor of what is averaged: these are factors of the values, where every query head
has values of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..errors import UserError
from ..methods.base import Method, trained
from .folder import Tensors
from .names import BASE, PeftNames
from .parts import Exported, ReadAdapter, method_of
from .settings import Known, demands

LEAF = "ia3_l"
OUTPUTS, INPUTS = ("attn.k", "attn.v"), ("mlp.down",)
"""Sites of which IA³ scales the outputs, and those of which it scales the inputs."""
GATHERED = "attn.o"
"""The site whose inputs are averages of values."""
KNOWN = Known(
    read=frozenset(),
    idle=frozenset(
        {"target_modules", "feedforward_modules", "exclude_modules", "fan_in_fan_out"},
    ),
    only={"init_ia3_weights": (True, False)},
)


def export(method: Method, backbone: Backbone, names: PeftNames, root: str) -> Exported:
    """Ours to PEFT's; see `Exporter`."""
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
    """PEFT's to ours; see `Importer`."""
    KNOWN.check(settings)
    root, _ = names.adapted_sites(tensors, LEAF)
    weights: dict[str, Tensor] = {}
    untouched: list[str] = []
    for site in (*OUTPUTS, *INPUTS):
        inside, out = cfg.linear(site)
        shape = (out, 1) if site in OUTPUTS else (1, inside)
        for layer, (ours, source_name) in enumerate(names.modules(site, root)):
            factors = _factors(settings, tensors, source_name, layer, shape)
            if factors is None:
                untouched.append(ours)
            else:
                weights[f"{ours}.scale"] = factors
    _into_values(weights, settings, tensors, names, cfg, root)
    still = tuple(path for path in untouched if f"{path}.scale" not in weights)
    return ReadAdapter(method_of("ia3"), weights, untouched=still)


def _factors(
    settings: Mapping[str, Any],
    tensors: Tensors,
    module: str,
    layer: int,
    shape: tuple[int, ...],
) -> Tensor | None:
    """A map's factors; none where the file has none and its settings do not ask for them."""
    key = f"{module}.{LEAF}"
    if key not in tensors and not demands(settings, module.removeprefix(BASE), layer):
        return None
    return tensors.read(key, shape).flatten()


def _into_values(
    weights: dict[str, Tensor],
    settings: Mapping[str, Any],
    tensors: Tensors,
    names: PeftNames,
    cfg: BackboneConfig,
    root: str,
) -> None:
    """Turn factors of attention's averages into factors of the values that are averaged."""
    shape = (1, cfg.linear(GATHERED)[0])
    modules = zip(names.modules("attn.v", root), names.modules(GATHERED, root), strict=True)
    for layer, ((values, _), (_, source_name)) in enumerate(modules):
        factors = _factors(settings, tensors, source_name, layer, shape)
        if factors is None:
            continue
        if cfg.heads != cfg.key_heads:
            raise UserError(
                f"the file scales what each of {cfg.heads} heads gathers, but only "
                f"{cfg.key_heads} have values of their own: IA3 here scales keys, values and the "
                "MLP"
            )
        key = f"{values}.scale"
        weights[key] = weights.get(key, torch.ones_like(factors)) * factors
