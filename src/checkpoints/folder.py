"""A Hugging Face folder → configuration and weights, whatever its family.

Families differ only in tables (`families/`): how settings are named, and how tensors are named,
fused and laid out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..errors import UserError
from .families import BERT_NAMES, LLAMA_NAMES, Family, Part, counterpart, source_name
from .files import index, weight_files
from .folder_config import read_folder_config

__all__ = [
    "BERT_NAMES",
    "LLAMA_NAMES",
    "Missing",
    "Read",
    "check_shape",
    "open_folder",
    "source_name",
]

Shape = tuple[int, ...]
Read = Callable[[str, Shape], Tensor]
"""Gives the tensor of one of our names, which must have this shape, in fp32.

Raises:
    UserError: It is missing, or has another shape; the text has its name in the file.
"""
OLDER = {"weight": "gamma", "bias": "beta"}
"""How the first BERT called the two weights of a norm."""


class Missing(UserError):
    """A checkpoint has no such tensor."""


def open_folder(folder: Path) -> tuple[BackboneConfig, Read]:
    """A Hugging Face folder: config.json and one or more .safetensors files."""
    family, raw, cfg = read_folder_config(folder)
    files = weight_files(folder)
    return cfg, Folder(folder, family, files).read if files else fresh(raw.get("seed", 0), cfg)


def fresh(seed: int, cfg: BackboneConfig) -> Read:
    """New weights, each from the seed and its name: deviation 0.02, as BERT and GPT-2 begin."""

    def read(name: str, shape: Shape) -> Tensor:
        if name.startswith("positions.") and cfg.positions != "learned":
            raise Missing(f"'{name}' is computed, not stored")
        if len(shape) == 1:
            return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        generator = torch.Generator().manual_seed(zlib.crc32(f"{seed}/{name}".encode()))
        return 0.02 * torch.randn(shape, generator=generator)

    return read


class Folder:
    """The weights of a folder, asked for by our names."""

    def __init__(self, folder: Path, family: Family, files: list[Path]) -> None:
        """Look into the files for what they hold."""
        self.folder, self.family, self.where = folder, family, index(files)

    def read(self, name: str, shape: Shape) -> Tensor:
        """As `Read` says."""
        wanted, part = counterpart(name, self.family.names)
        key = self._key(wanted)
        transposed = self.family.transposed and name.startswith("blocks.") and len(shape) > 1
        stored = stored_shape(shape, part, transposed)
        with safe_open(self.where[key], framework="pt") as file:
            tensor: Tensor = file.get_tensor(key)
        check_shape(f"{self.folder}: tensor '{key}'", tuple(tensor.shape), stored)
        if not tensor.is_floating_point():
            raise UserError(f"{self.folder}: tensor '{key}' has whole numbers ({tensor.dtype})")
        tensor = tensor.t() if transposed else tensor
        weight = tensor if part is None else tensor.chunk(part.of)[part.number]
        return weight.to(torch.float32)

    def _key(self, wanted: str) -> str:
        """The tensor's name in these files: with a prefix or without, or by an older name."""
        module, _, leaf = wanted.rpartition(".")
        aliases = [wanted, self.family.aliases.get(wanted, wanted), f"{module}.{OLDER[leaf]}"]
        for prefix in ("", f"{self.family.prefix}.", "model."):
            for alias in aliases:
                if prefix + alias in self.where:
                    return prefix + alias
        raise Missing(f"{self.folder}: tensor '{wanted}' is missing")


def stored_shape(shape: Shape, part: Part | None, transposed: bool) -> Shape:
    """The shape in the file of a tensor that is ours, or holds ours as a part."""
    whole = shape if part is None else (shape[0] * part.of, *shape[1:])
    return whole[::-1] if transposed else whole


def check_shape(what: str, shape: Shape, wanted: Shape) -> None:
    """A tensor has the shape that the configuration asks for.

    Raises:
        UserError: It has not; the text names both shapes.
    """
    if shape != wanted:
        raise UserError(f"{what} has shape {shape}, but the configuration asks for {wanted}")
