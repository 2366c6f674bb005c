"""What transformers calls a backbone's modules, and where PEFT's files have their tensors.

A tensor of a PEFT file is named `base_model.model.` + where the network stands in the model of the
task (`bert.`, or nothing) + the module's name in transformers (`encoder.layer.0.output.dense`) +
the tensor's role (`.lora_A.weight`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.families import FAMILIES as CHECKPOINTS
from ..checkpoints.families import Names, Part
from ..errors import UnknownName, UserError
from .folder import Tensors

HeadKind = Literal["pooler", "dense", "relu", "score"]
"""What stands between the states and the last linear map of a family's classifier: the network's
own pooler of the first token, a linear map with a tanh or with a ReLU, or nothing (the last map
then reads the last token)."""


@dataclass(frozen=True)
class TransformersFamily:
    """How transformers builds the models of one `model_type`."""

    names: Names
    """Transformers' names of modules by our names, `*` for the number of the block."""
    root: str
    """Where the network stands in a model with a head, such as `bert.`; a model without a head is
    the network itself."""
    head: HeadKind
    transposed: bool
    """Whether its linear maps store their weights as (in, out), as GPT-2's Conv1D does."""
    caches: bool = True
    """Whether the network takes past keys and values, which is how PEFT hands a prefix over."""


def _family(kind: str, head: HeadKind, **more: bool) -> TransformersFamily:
    checkpoint = CHECKPOINTS[kind]
    return TransformersFamily(
        checkpoint.names, f"{checkpoint.prefix}.", head, checkpoint.transposed, **more
    )


FAMILIES: Mapping[str, TransformersFamily] = {
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
"""What PEFT's own wrappers put before every name."""
WRAPPERS = {
    "module": "DistributedDataParallel",
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
}
"""Segments that other wrappers put into the names of a model that was not unwrapped to be saved."""


@dataclass(frozen=True)
class PeftNames:
    """One backbone as transformers and PEFT name it."""

    kind: str
    """Its `model_type`."""
    layers: int
    sites: tuple[str, ...]
    """Our names of the linear maps in a block, such as `attn.q`."""

    @property
    def family(self) -> TransformersFamily:
        """How transformers builds its models."""
        return FAMILIES[self.kind]

    @property
    def unfused_sites(self) -> tuple[str, ...]:
        """The linear maps that transformers has by themselves too, not fused with others."""
        names = self.family.names
        return tuple(s for s in self.sites if not isinstance(names[f"blocks.*.{s}"], Part))

    def root(self, task: str) -> str:
        """Where the network stands in the model of one of PEFT's task types."""
        return "" if task == "FEATURE_EXTRACTION" else self.family.root

    def modules(self, site: str, root: str) -> Iterator[tuple[str, str]]:
        """For each layer: our path of a site's linear map, and the map's name in a PEFT file."""
        pattern = self._unfused(site)
        for layer in range(self.layers):
            yield f"blocks.{layer}.{site}", f"{BASE}{root}{pattern.replace('*', str(layer))}"

    def adapted_sites(self, tensors: Tensors, leaf: str) -> tuple[str, tuple[str, ...]]:
        """Which linear maps have an adapter in a file.

        Args:
            tensors: The file's.
            leaf: The role of a tensor that every adapted map has, such as `lora_A.weight`.

        Returns:
            Where the network stands in the names, and the sites that have such a tensor in any
            layer.

        Raises:
            UserError: No linear map has one, or one that transformers keeps fused with others.
        """
        for root in ("", self.family.root):
            adapted = tuple(
                site
                for site in self.sites
                if any(f"{BASE}{root}{each}.{leaf}" in tensors for each in self._layered(site))
            )
            for site in adapted:
                self._unfused(site)
            if adapted:
                return root, adapted
        raise UserError(
            f"no linear map of this backbone ({self.kind}) has a '{leaf}' in {tensors.path}"
            f"{self._why(tensors, leaf)}"
        )

    def _layered(self, site: str) -> list[str]:
        """Transformers' names of a site's map in every layer."""
        return [self._pattern(site).replace("*", str(layer)) for layer in range(self.layers)]

    def _why(self, tensors: Tensors, leaf: str) -> str:
        """What the names in a file have where PEFT's have `base_model.model.`, as far as known."""
        endings = [f"{each}.{leaf}" for site in self.sites for each in self._layered(site)]
        for ending in endings:
            prefix = tensors.prefix_before(ending)
            if prefix is not None:
                return wrong_prefix(prefix, (BASE, f"{BASE}{self.family.root}"))
        return f" (its first tensor is '{min(tensors.left)}')" if tensors.left else ""

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
        """Transformers' map that holds one of ours, by itself or fused with others."""
        name = self.family.names[f"blocks.*.{site}"]
        return name.pattern if isinstance(name, Part) else name

    def _unfused(self, site: str) -> str:
        """Transformers' map that is exactly one of ours.

        Raises:
            UserError: Transformers keeps it fused with others, as GPT-2's queries, keys and values.
        """
        if site not in self.unfused_sites:
            raise UserError(
                f"'{site}' is a part of one fused map in transformers' {self.kind}: "
                "its weights have no place of their own in a PEFT file "
                f"(these sites have: {', '.join(self.unfused_sites)})"
            )
        return self._pattern(site)


def wrong_prefix(prefix: str, expected: Collection[str]) -> str:
    """The end of a message: names begin otherwise than they should, and who puts that there."""
    wanted = " or ".join(f"'{each}'" for each in dict.fromkeys(expected))
    wrapper = next((WRAPPERS[part] for part in prefix.split(".") if part in WRAPPERS), None)
    advice = "" if wrapper is None else f"; {wrapper} does that: save the module inside it"
    return f": its tensors' names begin with '{prefix}', not with {wanted}{advice}"


def peft_names(checkpoint: Checkpoint) -> PeftNames:
    """What transformers and PEFT call the parts of a checkpoint's backbone.

    Raises:
        UnknownName: Adapters of its family are not exchanged.
    """
    kind = checkpoint.model_type
    if kind not in FAMILIES:
        raise UnknownName("family to exchange with PEFT", kind, FAMILIES)
    return PeftNames(kind, checkpoint.config.layers, checkpoint.config.sites)
