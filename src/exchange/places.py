"""Where AdapterHub's models keep bottlenecks, and what their weights are called there.

A weight is named: where the network stands in the model + the place in the layer + the adapter's
own name + its leaf.

ours, behind the port                `adapters`', behind the name           shape
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
from .side import PeftNames

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


def places(side: PeftNames) -> Places:
    """Where a family's models keep bottlenecks.

    Raises:
        UserError: AdapterHub has no such family.
    """
    if side.kind not in PLACES:
        known = ", ".join(PLACES)
        raise UserError(f"AdapterHub's adapters have no '{side.kind}' (they have: {known})")
    return PLACES[side.kind]


def pairs(
    place: str,
    bottleneck: int,
    cfg: BackboneConfig,
    side: PeftNames,
    root: str | None = None,
    name: str = NAME,
) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Of every weight: our name, the name in the file, and its shape."""
    found = places(side)
    ports = {f"blocks.*.{port}": getattr(found, spot) for port, spot in _ports(place, cfg).items()}
    root = side.family.root if root is None else root
    shapes = {"down": (bottleneck, cfg.width), "up": (cfg.width, bottleneck)}
    leaves = {"down": "adapter_down.0", "up": "adapter_up"}
    for layer in map(str, range(side.layers)):
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


def root_of(tensors: Tensors, side: PeftNames, place: str, cfg: BackboneConfig, name: str) -> str:
    """Where the network stands in a file: at the root, or inside a model with heads."""
    for root in ("", side.family.root):
        first = next(pairs(place, 1, cfg, side, root, name))[1]
        if first in tensors:
            return root
    raise UserError(f"{tensors.path}: no adapter '{name}' at the first layer of a {side.kind}")
