"""GGUF files: weights in llama.cpp's layout, dequantised to fp32 as they are read.

llama.cpp stores the rows of Llama's q and k so that rotated pairs are neighbours; ours (as Hugging
Face's) rotates halves, so the rows are put back. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, ReaderTensor
from gguf.quants import dequantize
from torch import Tensor

from ...backbone.config import BackboneConfig
from ...errors import UnknownName, UserError
from ..families import Names, counterpart
from ..files import refuse_pointer
from ..folder import Missing, Read, check_shape, stored_shape
from .architectures import ARCHITECTURES
from .rope import recovered


def metadata(path: Path) -> dict[str, Any]:
    """The file's key-value pairs as plain Python values."""
    return {key: field.contents() for key, field in open_reader(path).fields.items()}


class _Reader(GGUFReader):
    """The package's reader, which says in which tensor a file is cut short."""

    def _build_tensors(self, start_offs: int, fields: list[Any]) -> None:
        try:
            super()._build_tensors(start_offs, fields)
        except ValueError as error:
            raise ValueError(self._cut(start_offs, fields) or error) from None

    def _cut(self, start_offs: int, fields: list[Any]) -> str:
        for field in fields:
            try:
                super()._build_tensors(start_offs, [field])
            except ValueError:
                _, name, _, shape, _, _ = field.parts
                whole = tuple(int(size) for size in reversed(shape))
                return f"it is cut short in tensor '{bytes(name).decode()}' of shape {whole}"
        return ""


def open_reader(path: Path) -> GGUFReader:
    """The file, mapped; a broken one is the user's error."""
    refuse_pointer(path)
    try:
        return _Reader(path)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise UserError(f"{path} is not a readable GGUF file: {error}") from None


def open_gguf(path: Path) -> tuple[BackboneConfig, Read]:
    """Configuration and weights of a GGUF file."""
    reader = open_reader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    raw = {key: field.contents() for key, field in reader.fields.items()}
    kind = str(raw.get("general.architecture"))
    if kind not in ARCHITECTURES:
        raise UnknownName(f"architecture in {path}:", kind, ARCHITECTURES)
    family = ARCHITECTURES[kind]
    cfg = _configured(raw, kind, path)
    if cfg.causal:
        cfg = dataclasses.replace(cfg, tied="output.weight" not in tensors)
    if cfg.bias is not True:
        cfg = dataclasses.replace(cfg, bias=_biased(cfg, family.names, tensors))
    if "rope_freqs.weight" in tensors:
        cfg = recovered(cfg, _values(tensors["rope_freqs.weight"]), path)

    def read(name: str, shape: tuple[int, ...]) -> Tensor:
        wanted, part = counterpart(name, family.names)
        if wanted not in tensors:
            raise Missing(f"{path}: tensor '{wanted}' is missing")
        weight = _values(tensors[wanted])
        stored = stored_shape(shape, part, transposed=False)
        check_shape(f"{path}: tensor '{wanted}'", tuple(weight.shape), stored)
        array = weight if part is None else weight.chunk(part.of)[part.number]
        heads = {"q": cfg.heads, "k": cfg.key_heads}.get(name.split(".")[-2])
        return array if heads is None or not family.neighbours else _halves(array, heads)

    return cfg, read


def _biased(cfg: BackboneConfig, names: Names, tensors: Container[str]) -> tuple[str, ...]:
    """The linear maps that have a bias: the metadata do not say it."""
    first = {site: counterpart(f"blocks.0.{site}.bias", names)[0] for site in cfg.sites}
    return tuple(site for site, name in first.items() if name in tensors)


def _values(tensor: ReaderTensor) -> Tensor:
    """A tensor of the file in fp32."""
    values = dequantize(tensor.data, tensor.tensor_type)
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _configured(raw: Mapping[str, Any], kind: str, path: Path) -> BackboneConfig:
    """The configuration that the file's metadata describe."""
    settings = {key.removeprefix(f"{kind}."): value for key, value in raw.items()}
    try:
        return ARCHITECTURES[kind].configure(settings)
    except KeyError as error:
        raise UserError(f"{path}: the setting {error} is missing") from None
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{path}: {error}") from None


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows with rotated pairs as neighbours → rows with rotated halves."""
    rows = weight.view(heads, -1, 2, *weight.shape[1:])
    return rows.transpose(1, 2).reshape(weight.shape).contiguous()
