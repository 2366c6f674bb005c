"""Where AdapterHub's models keep bottlenecks, and what their weights are called there.

A weight is named: where the network stands in the model + the place in the layer + the adapter's
own name + its leaf.

ours, after the port                `adapters`', after the name           shape
`down.{weight,bias}`                 `adapter_down.0.{weight,bias}`         m d, m
`up.{weight,bias}`                   `adapter_up.{weight,bias}`             d m, d

Source: `adapters` 1.3.0, `models/*/mixin_*.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..backbone.config import BackboneConfig
from ..errors import UserError
from .folder import Tensors
from .names import PeftNames

NAME = "tunebench"
"""What the files call an adapter of ours."""


@dataclass(frozen=True)
class Places:
    """Where AdapterHub's models of one family keep bottlenecks, and its class with free heads."""

    model: str
    after_attn: str
    after_mlp: str


_BERT = ("encoder.layer.*.attention.output.adapters", "encoder.layer.*.output.adapters")
_HELD = ("*.attention_adapters.adapters", "*.output_adapters.adapters")
PLACES: Mapping[str, Places] = {
    "bert": Places("BertAdapterModel", *_BERT),
    "roberta": Places("RobertaAdapterModel", *_BERT),
    "distilbert": Places("DistilBertAdapterModel", *(f"transformer.layer.{h}" for h in _HELD)),
    "llama": Places("LlamaAdapterModel", *(f"layers.{held}" for held in _HELD)),
    "mistral": Places("MistralAdapterModel", *(f"layers.{held}" for held in _HELD)),
    "gpt2": Places("GPT2AdapterModel", *(f"h.{held}" for held in _HELD)),
}
"""By `model_type`."""


def places(names: PeftNames) -> Places:
    """Where a family's models keep bottlenecks.

    Raises:
        UserError: AdapterHub has no such family.
    """
    if names.kind not in PLACES:
        known = ", ".join(PLACES)
        raise UserError(f"AdapterHub's adapters have no '{names.kind}' (they have: {known})")
    return PLACES[names.kind]


def pairs(
    place: str,
    bottleneck: int,
    cfg: BackboneConfig,
    names: PeftNames,
    root: str | None = None,
    name: str = NAME,
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Of every weight: our name, the name in the file, and its shape."""
    modules = places(names)
    ports = {
        f"blocks.*.{port}": getattr(modules, spot) for port, spot in _ports(place, cfg).items()
    }
    root = names.family.root if root is None else root
    shapes = {"down": (bottleneck, cfg.width), "up": (cfg.width, bottleneck)}
    leaves = {"down": "adapter_down.0", "up": "adapter_up"}
    for layer in map(str, range(names.layers)):
        for ours, source_name in ports.items():
            for which, shape in shapes.items():
                mine = f"{ours}.{which}".replace("*", layer)
                other = f"{root}{source_name.replace('*', layer)}.{name}.{leaves[which]}"
                yield f"{mine}.weight", f"{other}.weight", shape
                yield f"{mine}.bias", f"{other}.bias", shape[:1]


def _ports(place: str, cfg: BackboneConfig) -> Mapping[str, str]:
    """Where in a block an adapter of ours stands, to the place over there."""
    if place == "houlsby":
        return {"after_attn": "after_attn", "after_mlp": "after_mlp"}
    if place == "parallel":
        return {"mlp.adapter": "after_mlp"}
    return {"norm_mlp.adapter" if cfg.norm_place == "after" else "after": "after_mlp"}


def root_of(tensors: Tensors, names: PeftNames, place: str, cfg: BackboneConfig, name: str) -> str:
    """Where the network stands in a file: at the root, or inside a model with heads."""
    for root in ("", names.family.root):
        first = next(pairs(place, 1, cfg, names, root, name))[1]
        if first in tensors:
            return root
    raise UserError(f"{tensors.path}: no adapter '{name}' at the first layer of a {names.kind}")
