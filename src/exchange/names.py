"""The other side: what transformers' modules are called, and where PEFT finds them.

A tensor of a PEFT file is named `base_model.model.` + where the network stands in the model of the
task + the family's own name of the module + the tensor's role.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.families import FAMILIES as CHECKPOINTS
from ..checkpoints.families import Names, Part
from ..errors import UnknownName, UserError

Classifier = Literal["pooler", "dense", "relu", "score"]
"""A family's head: on the network's own pooler of the first token, on a map in the head with a tanh
or with a ReLU after it, or a map of the last token alone."""


@dataclass(frozen=True)
class Family:
    """How transformers builds the models of one `model_type`."""

    names: Names
    """Our modules' names, `*` for the number of the block, to transformers' names."""
    root: str
    """Where the network stands in a model with a head; without a head it is all there is."""
    head: Classifier
    transposed: bool
    """Whether its linear maps lie (in out)."""
    caches: bool = True
    """Whether the network reads keys and values that stand before its text."""


def _family(kind: str, head: Classifier, **more: bool) -> Family:
    checkpoint = CHECKPOINTS[kind]
    return Family(checkpoint.names, f"{checkpoint.prefix}.", head, checkpoint.transposed, **more)


FAMILIES: Mapping[str, Family] = {
    "bert": _family("bert", "pooler"),
    "roberta": _family("roberta", "dense"),
    "distilbert": _family("distilbert", "relu", caches=False),
    "gpt2": _family("gpt2", "score"),
    "llama": _family("llama", "score"),
    "mistral": _family("mistral", "score"),
    "qwen2": _family("qwen2", "score"),
    "qwen3": _family("qwen3", "score"),
}
TASKS = ("FEATURE_EXTRACTION", "CAUSAL_LM", "SEQ_CLS")
"""PEFT's task types that are written: hidden states, a language model, a classifier of texts."""
BASE = "base_model.model."


@dataclass(frozen=True)
class PeftNames:
    """One backbone as transformers and PEFT name it."""

    kind: str
    """Its `model_type`."""
    layers: int
    sites: tuple[str, ...]
    """Our names of a block's linear maps."""

    @property
    def family(self) -> Family:
        """How its models are built."""
        return FAMILIES[self.kind]

    def root(self, task: str) -> str:
        """Where the network stands in the model of a task."""
        return "" if task == "FEATURE_EXTRACTION" else self.family.root

    def modules(self, site: str, root: str) -> Iterator[tuple[str, str]]:
        """Of every layer: our path of a site's linear map, and the map's name in a PEFT file."""
        pattern = self._unfused(site)
        for layer in range(self.layers):
            yield f"blocks.{layer}.{site}", f"{BASE}{root}{pattern.replace('*', str(layer))}"

    def carried(self, tensors: Container[str], leaf: str) -> tuple[str, tuple[str, ...]]:
        """Where the network stands in a file, and the sites of which some map carries this leaf.

        Raises:
            UserError: No map does, or one that is fused over there.
        """
        for root in ("", self.family.root):
            carrying = tuple(
                site for site in self.sites if self._carries(site, root, tensors, leaf)
            )
            for site in carrying:
                self._unfused(site)
            if carrying:
                return root, carrying
        raise UserError(f"no linear map of this backbone ({self.kind}) has a '{leaf}' in the file")

    def _carries(self, site: str, root: str, tensors: Container[str], leaf: str) -> bool:
        layers = (self._pattern(site).replace("*", str(layer)) for layer in range(self.layers))
        return any(f"{BASE}{root}{source_name}.{leaf}" in tensors for source_name in layers)

    def targets(self, sites: Collection[str]) -> list[str]:
        """What PEFT's `target_modules` must say, so that it finds these maps and no others.

        PEFT takes every module whose name ends with one of the words, segment by segment. A map
        is known by its last segments, as few as set it apart from others of the family; where its
        whole name ends another's too, the maps of all layers are listed.
        """
        targets: list[str] = []
        for site in sites:
            pattern = self._unfused(site)
            others = [self._pattern(other) for other in self.sites if other != site]
            parts = pattern.partition("*.")[2].split(".")
            endings = (".".join(parts[n:]) for n in reversed(range(len(parts))))
            single = [e for e in endings if not any(f".{o}".endswith(f".{e}") for o in others)]
            every = [pattern.replace("*", str(layer)) for layer in range(self.layers)]
            targets += single[:1] or every
        return targets

    def _pattern(self, site: str) -> str:
        """Their map that holds one of ours, alone or with others."""
        name = self.family.names[f"blocks.*.{site}"]
        return name.pattern if isinstance(name, Part) else name

    def _unfused(self, site: str) -> str:
        """Their map that is one of ours.

        Raises:
            UserError: It holds others too.
        """
        if isinstance(self.family.names[f"blocks.*.{site}"], Part):
            names = self.family.names
            unfused = [each for each in self.sites if isinstance(names[f"blocks.*.{each}"], str)]
            raise UserError(
                f"'{site}' is a part of one fused map in transformers' {self.kind}: "
                "its weights have no place of their own in a PEFT file "
                f"(these sites have: {', '.join(unfused)})"
            )
        return self._pattern(site)


def peft_names(checkpoint: Checkpoint) -> PeftNames:
    """What transformers and PEFT call the parts of a checkpoint's backbone.

    Raises:
        UnknownName: Its family is not exchanged.
    """
    kind = checkpoint.model_type
    if kind not in FAMILIES:
        raise UnknownName("family to exchange with PEFT", kind, FAMILIES)
    return PeftNames(kind, checkpoint.config.layers, checkpoint.config.sites)
