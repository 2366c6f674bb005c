"""Where AdapterHub's models have bottlenecks, and what their weights are called there.

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
from .names import PeftNames, wrong_prefix

NAME = "tunebench"
"""What the files call an adapter of ours."""


@dataclass(frozen=True)
class Places:
    """Where AdapterHub's models of one family have bottlenecks; `*` is the layer's number."""

    model: str
    """AdapterHub's class of the family's models whose heads can be chosen freely."""
    after_attn: str
    after_mlp: str


_BERT = ("encoder.layer.*.attention.output.adapters", "encoder.layer.*.output.adapters")
_OTHERS = ("*.attention_adapters.adapters", "*.output_adapters.adapters")
PLACES: Mapping[str, Places] = {
    "bert": Places("BertAdapterModel", *_BERT),
    "roberta": Places("RobertaAdapterModel", *_BERT),
    "distilbert": Places("DistilBertAdapterModel", *(f"transformer.layer.{p}" for p in _OTHERS)),
    "llama": Places("LlamaAdapterModel", *(f"layers.{place}" for place in _OTHERS)),
    "mistral": Places("MistralAdapterModel", *(f"layers.{place}" for place in _OTHERS)),
    "gpt2": Places("GPT2AdapterModel", *(f"h.{place}" for place in _OTHERS)),
}
"""By transformers' `model_type`."""


def places(names: PeftNames) -> Places:
    """Where a family's models have bottlenecks.

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
    """For every weight of an adapter: our name, the name in the file, and its shape.

    Args:
        place: Our `place`: houlsby, pfeiffer or parallel.
        bottleneck: The adapter's width m.
        cfg: The backbone's shape.
        names: Transformers' names of its modules.
        root: Where the network stands in the file's names; none means in a model with a head.
        name: What the file calls the adapter.
    """
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
                our_name = f"{ours}.{which}".replace("*", layer)
                module = source_name.replace("*", layer)
                file_name = f"{root}{module}.{name}.{leaves[which]}"
                yield f"{our_name}.weight", f"{file_name}.weight", shape
                yield f"{our_name}.bias", f"{file_name}.bias", shape[:1]


def _ports(place: str, cfg: BackboneConfig) -> Mapping[str, str]:
    """Where our adapter stands in a block, to the field of `Places` that is the same place."""
    if place == "houlsby":
        return {"after_attn": "after_attn", "after_mlp": "after_mlp"}
    if place == "parallel":
        return {"mlp.adapter": "after_mlp"}
    return {"norm_mlp.adapter" if cfg.norm_place == "after" else "after": "after_mlp"}


def root_of(tensors: Tensors, names: PeftNames, place: str, cfg: BackboneConfig, name: str) -> str:
    """Where the network stands in a file's names: at the root, or inside a model with a head.

    Raises:
        UserError: The first layer has no adapter of this name.
    """
    roots = ("", names.family.root)
    for root in roots:
        first = next(pairs(place, 1, cfg, names, root, name))[1]
        if first in tensors:
            return root
    prefix = tensors.prefix_before(next(pairs(place, 1, cfg, names, "", name))[1])
    why = "" if prefix is None else wrong_prefix(prefix, roots)
    raise UserError(
        f"{tensors.path}: no adapter '{name}' at the first layer of a {names.kind}{why}"
    )
