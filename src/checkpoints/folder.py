"""A Hugging Face folder: config.json, safetensors, tokenizer.json, generation_config.json.

Families differ only in tables (`families/`): how settings are named, and how tensors are named,
fused and laid out. A folder's settings are read without torch.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from ..backbone.config import BackboneConfig
from ..errors import UnknownName, UserError
from ..text import quoted
from .families import FAMILIES, Family, counterpart
from .families.defaults import LAYERS
from .families.own import FIRST_NAMES
from .families.settings import check_numbers
from .files import StoredTensor, index, read_json, refuse_pointer, weight_files
from .format import CheckpointFiles, Missing, Shape, check_shape, stored_shape

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

OLDER = {"weight": "gamma", "bias": "beta"}
"""How the first BERT called the two weights of a norm."""
COMPUTED = frozenset({
    "attn.bias", "attn.masked_bias",  # GPT-2's triangle of what a token may see
    "self_attn.rotary_emb.inv_freq", "attn.rotary_emb.inv_freq",
})  # fmt: skip
"""Tensors of a layer, in older files, that are computed from the settings and not trained."""


class Folder(CheckpointFiles):
    """A folder, asked by our names; each of its files is opened when it is first needed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self.folder = folder

    @functools.cached_property
    def raw(self) -> Mapping[str, Any]:
        """config.json as it is written.

        Raises:
            UserError: It is missing or no object of settings.
        """
        settings = self.folder / "config.json"
        if not settings.is_file():
            raise UserError(f"backbone folder {self.folder}: config.json is missing")
        return read_json(settings)

    @property
    def model_type(self) -> str:
        """The family, as config.json says."""
        return str(self.raw.get("model_type"))

    @functools.cached_property
    def weights(self) -> Sequence[Path]:
        """The safetensors files; none in a folder of settings alone.

        Raises:
            UserError: One that the index names is missing, or there are pickles alone.
        """
        return weight_files(self.folder)

    @functools.cached_property
    def family(self) -> Family:
        """How this family names its settings and its tensors.

        Raises:
            UserError: The family is unknown, or its weights are missing.
        """
        # Asked first: a folder of pickles is refused for them, whatever else it lacks.
        files = self.weights
        if "model_type" not in self.raw:
            raise UserError(
                f"{self.folder / 'config.json'}: the setting 'model_type' is missing; write which "
                f'family it is, such as "model_type": "bert" (known: {", ".join(sorted(FAMILIES))})'
            )
        kind = self.model_type
        if kind not in FAMILIES:
            raise UnknownName(f"model_type in {self.folder / 'config.json'}:", kind, FAMILIES)
        family = FAMILIES[kind]
        if not files and not family.fresh:
            raise UserError(f"backbone folder {self.folder}: a .safetensors file is missing")
        return family

    @functools.cached_property
    def config(self) -> BackboneConfig:
        """The shape that the settings describe.

        Raises:
            UserError: A setting is missing, out of range, or of something our network lacks.
        """
        family, settings = self.family, self.folder / "config.json"
        try:
            check_numbers(self.raw)
            return family.configure({**family.defaults, **self.raw})
        except KeyError as error:
            raise UserError(f"{settings}: the setting {error} is missing") from None
        except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
            raise UserError(f"{settings}: {error}") from None

    @property
    def deciding_files(self) -> Sequence[Path]:
        """The weight files; without them the settings decide the weights."""
        return self.weights or [self.folder / "config.json"]

    @functools.cached_property
    def tensors(self) -> Mapping[str, StoredTensor]:
        """Where each tensor is, by its name in the files.

        Raises:
            UserError: A file is damaged.
        """
        return index(self.weights)

    def check(self, cfg: BackboneConfig) -> None:
        """Refuse files that do not hold this network.

        Raises:
            Missing: A tensor is not there.
            UserError: One has another shape than the settings say, or is there against them.
        """
        if not self.weights:
            return
        read = set()
        for name, shape in cfg.parameters():
            try:
                key, stored = self._stored(name, shape)
                check_shape(f"{self.folder}: tensor '{key}'", self.tensors[key].shape, stored)
            except UserError as error:
                raise type(error)(f"{error}{self._assumed}") from None
            read.add(key)
        for key in sorted(self.tensors.keys() - read):
            if self._belongs(key, cfg.layers):
                raise UserError(
                    f"{self.folder}: tensor '{key}' is in the files, but the network that "
                    "config.json describes has no place for it, so one of them is wrong"
                )

    @property
    def _assumed(self) -> str:
        """Which settings were not read from config.json, for a message; empty where all were."""
        absent = sorted(self.family.defaults.keys() - self.raw.keys())
        if not absent:
            return ""
        return f" (config.json lacks {', '.join(absent)}: transformers' defaults were taken)"

    def _belongs(self, key: str, layers: int) -> bool:
        """Whether a tensor is a weight of the network or of its first so many layers.

        Poolers and heads stand on it; layers beyond those that config.json counts are left out, as
        transformers does. Where it does not count them, the files must have the usual number.
        """
        names = self.family.names
        for prefix in (f"{self.family.prefix}.", "model."):
            key = key.removeprefix(prefix)
        before_number = str(names["blocks.*.attn.o"]).partition("*")[0]
        if key.startswith(before_number):
            number, _, inside = key.removeprefix(before_number).partition(".")
            if inside in COMPUTED or not number.isdecimal():
                return False
            counted = any(setting in self.raw for setting in LAYERS) or not self.family.defaults
            return int(number) < layers or (not counted and int(number) >= self.config.layers)
        outside = ["embedding", "segments", "norm_embedding", "norm"]
        if self.config.positions != "sinusoidal":  # whose table may be stored beside its rule
            outside.append("positions.table")
        return key.rpartition(".")[0] in {names[name] for name in outside if name in names}

    def read(self, name: str, shape: Shape) -> Tensor:
        """The tensor of one of our names, in fp32; drawn from the seed in a folder without weights.

        Raises:
            Missing: There is no such tensor.
            UserError: It has another shape, or no floating-point numbers.
        """
        if not self.weights:
            return draw(name, shape, seed=self.raw.get("seed", 0), cfg=self.config)
        import torch

        key, stored = self._stored(name, shape)
        check_shape(f"{self.folder}: tensor '{key}'", self.tensors[key].shape, stored)
        with safe_open(self.tensors[key].path, framework="pt") as file:
            tensor: Tensor = file.get_tensor(key)
        if not tensor.is_floating_point():
            raise UserError(f"{self.folder}: tensor '{key}' has whole numbers ({tensor.dtype})")
        tensor = tensor.t() if self._transposed(name, shape) else tensor
        _, part = counterpart(name, self.family.names)
        weight = tensor if part is None else tensor.chunk(part.of)[part.number]
        return weight.to(torch.float32)

    def _stored(self, name: str, shape: Shape) -> tuple[str, Shape]:
        """The name in these files of the tensor that holds one of ours, and its shape there."""
        wanted, part = counterpart(name, self.family.names)
        return self._key(wanted), stored_shape(shape, part, self._transposed(name, shape))

    def _transposed(self, name: str, shape: Shape) -> bool:
        return self.family.transposed and name.startswith("blocks.") and len(shape) > 1

    def _key(self, wanted: str) -> str:
        """The tensor's name in these files: with a prefix or without, or by an older name."""
        module, _, leaf = wanted.rpartition(".")
        aliases = [wanted, self.family.aliases.get(wanted, wanted), f"{module}.{OLDER[leaf]}"]
        for prefix in ("", f"{self.family.prefix}.", "model."):
            for alias in aliases:
                if prefix + alias in self.tensors:
                    return prefix + alias
        similar = next((key for key in self.tensors if key.endswith(f".{wanted}")), None)
        hint = (
            "" if similar is None else f" (there is '{similar}', under a prefix that is not read)"
        )
        raise Missing(f"{self.folder}: tensor '{wanted}' is missing{hint}")

    def tokenizer(self) -> Tokenizer:
        """The tokenizer in tokenizer.json.

        Raises:
            UserError: It is missing or damaged.
        """
        from tokenizers import Tokenizer

        file = self.folder / "tokenizer.json"
        if not file.is_file():
            raise UserError(f"backbone folder {self.folder}: tokenizer.json is missing")
        refuse_pointer(file)
        try:
            return Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises no narrower one
            raise UserError(f"{file} is not a readable tokenizer.json: {error}") from None

    def stop_tokens(self) -> frozenset[int]:
        """The tokens that end a text: generation_config.json goes before config.json."""
        for name in ("generation_config.json", "config.json"):
            file = self.folder / name
            stops = read_json(file).get("eos_token_id") if file.is_file() else None
            if stops is None:
                continue
            tokens = stops if isinstance(stops, list) else [stops]
            if not all(type(token) is int for token in tokens):
                raise UserError(
                    f"{file}: eos_token_id must be whole numbers, but is {quoted(stops)}"
                )
            return frozenset(tokens)
        return frozenset()


def draw(name: str, shape: Shape, *, seed: int, cfg: BackboneConfig) -> Tensor:
    """A new weight, drawn from the seed and its name: deviation 0.02, as BERT and GPT-2 begin.

    Raises:
        Missing: It is a table that is computed, or another tensor's.
    """
    import torch

    if name.startswith("positions.") and cfg.positions != "learned":
        raise Missing(f"'{name}' is computed, not stored")
    if name == "head.weight" and cfg.tied:
        raise Missing(f"'{name}' is the embedding's own table")
    if len(shape) == 1:
        return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
    # By the name that it had first: a seed must give the same numbers for ever.
    first_name = FIRST_NAMES.get(name, name)
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{first_name}".encode()))
    return 0.02 * torch.randn(shape, generator=generator)
