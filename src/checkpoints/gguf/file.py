"""GGUF files: weights in llama.cpp's layout, dequantised to fp32 as they are read.

llama.cpp stores the rows of Llama's q and k so that rotated pairs are neighbours; ours (as Hugging
Face's) rotates halves, so the rows are put back. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, ReaderTensor
from gguf.quants import dequantize
from tokenizers import Tokenizer
from torch import Tensor

from ...backbone.config import BackboneConfig
from ...errors import UnknownName, UserError
from ..families import Names, counterpart
from ..files import refuse_pointer
from ..format import CheckpointFiles, Missing, Shape, check_shape, stored_shape
from .architectures import ARCHITECTURES, Architecture
from .rope import recovered
from .tokenizer import tokenizer_of


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


class Metadata(Mapping[str, Any]):
    """A file's key-value pairs as plain Python values, each made when it is first asked for.

    A vocabulary has tens of thousands of strings, which only the tokenizer needs.
    """

    def __init__(self, reader: GGUFReader) -> None:
        """The pairs of an open file."""
        self._fields = reader.fields
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        """One value."""
        if key not in self._values:
            self._values[key] = self._fields[key].contents()
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """The keys, in the file's order."""
        return iter(self._fields)

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self._fields)


class GgufFile(CheckpointFiles):
    """A GGUF file, asked by our names; it is mapped into memory once."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path

    @functools.cached_property
    def reader(self) -> GGUFReader:
        """The open file.

        Raises:
            UserError: It is damaged.
        """
        return open_reader(self.path)

    @functools.cached_property
    def metadata(self) -> Metadata:
        """Its key-value pairs."""
        return Metadata(self.reader)

    @functools.cached_property
    def tensors(self) -> Mapping[str, ReaderTensor]:
        """Its tensors by llama.cpp's names."""
        return {tensor.name: tensor for tensor in self.reader.tensors}

    @property
    def deciding_files(self) -> Sequence[Path]:
        """The file itself."""
        return [self.path]

    @functools.cached_property
    def model_type(self) -> str:
        """What transformers calls the family.

        llama.cpp calls two of them by another's name: what tells them apart is what their files
        have.
        """
        metadata = self.metadata
        kind = str(metadata.get("general.architecture"))
        if kind == "llama" and "llama.attention.sliding_window" in metadata:
            return "mistral"
        if kind == "bert" and metadata.get("tokenizer.ggml.model", "bert") != "bert":
            return "roberta"
        return kind

    @property
    def architecture(self) -> Architecture:
        """How this file names its settings and its tensors.

        Raises:
            UnknownName: It is none that is read.
        """
        kind = str(self.metadata.get("general.architecture"))
        if kind not in ARCHITECTURES:
            raise UnknownName(f"architecture in {self.path}:", kind, ARCHITECTURES)
        return ARCHITECTURES[kind]

    @functools.cached_property
    def config(self) -> BackboneConfig:
        """The shape that the metadata describe, and what only the tensors tell.

        Raises:
            UserError: A setting is missing, or is of something our network lacks.
        """
        cfg = self._configured()
        if cfg.causal:
            cfg = dataclasses.replace(cfg, tied="output.weight" not in self.tensors)
        if cfg.bias is not True:
            biased = _biased(cfg, self.architecture.names, self.tensors)
            cfg = dataclasses.replace(cfg, bias=biased)
        if "rope_freqs.weight" in self.tensors:
            cfg = recovered(cfg, _values(self.tensors["rope_freqs.weight"]), self.path)
        return cfg

    def _configured(self) -> BackboneConfig:
        architecture, metadata = self.architecture, self.metadata
        prefix = f"{metadata['general.architecture']}."
        settings = {key.removeprefix(prefix): metadata[key] for key in metadata}
        try:
            return architecture.configure(settings)
        except KeyError as error:
            raise UserError(f"{self.path}: the setting {error} is missing") from None
        except (TypeError, ValueError, ZeroDivisionError) as error:
            raise UserError(f"{self.path}: {error}") from None

    def read(self, name: str, shape: Shape) -> Tensor:
        """The tensor of one of our names, dequantised to fp32.

        Raises:
            Missing: There is no such tensor.
            UserError: It has another shape.
        """
        architecture = self.architecture
        wanted, part = counterpart(name, architecture.names)
        if wanted not in self.tensors:
            raise Missing(f"{self.path}: tensor '{wanted}' is missing")
        whole = _values(self.tensors[wanted])
        stored = stored_shape(shape, part, transposed=False)
        check_shape(f"{self.path}: tensor '{wanted}'", tuple(whole.shape), stored)
        weight = whole if part is None else whole.chunk(part.of)[part.number]
        if not architecture.neighbours:
            return weight
        heads = {"q": self.config.heads, "k": self.config.key_heads}.get(name.split(".")[-2])
        return weight if heads is None else _halves(weight, heads)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the metadata describe.

        Raises:
            UserError: Something it needs is missing, or it is of no kind that is read.
        """
        return tokenizer_of(self.metadata, self.path)

    def stop_tokens(self) -> frozenset[int]:
        """The tokens that end a text, and those that end a turn of a dialogue."""
        ids = [self.metadata.get(f"tokenizer.ggml.{kind}_token_id") for kind in ("eos", "eot")]
        return frozenset(token for token in ids if token is not None)


def _biased(cfg: BackboneConfig, names: Names, tensors: Container[str]) -> tuple[str, ...]:
    """The linear maps that have a bias: the metadata do not say it."""
    first = {site: counterpart(f"blocks.0.{site}.bias", names)[0] for site in cfg.sites}
    return tuple(site for site, name in first.items() if name in tensors)


def _values(tensor: ReaderTensor) -> Tensor:
    """A tensor of the file in fp32."""
    values = dequantize(tensor.data, tensor.tensor_type)
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows with rotated pairs as neighbours → rows with rotated halves."""
    rows = weight.view(heads, -1, 2, *weight.shape[1:])
    return rows.transpose(1, 2).reshape(weight.shape).contiguous()
