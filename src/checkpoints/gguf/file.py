"""GGUF files: weights in llama.cpp's layout, dequantised to fp32 as they are read.

llama.cpp stores the rows of Llama's q and k so that rotated pairs are neighbours; ours (as Hugging
Face's) rotates halves, so the rows are put back. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, ReaderTensor
from gguf.quants import dequantize
from tokenizers import Tokenizer
from torch import Tensor

from ...backbone.config import BackboneConfig
from ...errors import UnknownName, UserError
from ..families import Names, counterpart
from ..format import CheckpointFiles, Missing, Shape, check_shape, stored_shape
from .architectures import ARCHITECTURES, Architecture
from .reader import Metadata, open_reader
from .rope import recovered
from .settings import Settings
from .tokenizer import tokenizer_of

HEAD, DIVISORS = "output.weight", "rope_freqs.weight"
"""Tensors that are in a file only where the model has a head of its own, or scales frequencies."""
CLASSIFIER = "cls."
"""What a reranker's classifier begins with, which stands on the network and is no part of it."""


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
        return Metadata(self.path, self.reader)

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
            UserError: A setting is missing, is not understood, or is of something our network
                lacks; or the file is one of several parts.
        """
        parts = self.metadata.get("split.count", 1)
        if parts != 1:
            # What is not in this part would be taken for what the model does not have.
            raise UserError(
                f"{self.path} is one of {parts} parts of a model; join them first "
                "(llama.cpp: `llama-gguf-split --merge`)"
            )
        kind = self.metadata.get("general.type", "model")
        if kind != "model":
            raise UserError(f"{self.path} must be a model, but its general.type is {kind!r}")
        cfg = self._configured()
        if cfg.causal:
            cfg = dataclasses.replace(cfg, tied=HEAD not in self.tensors)
        if cfg.bias is not True:
            biased = _biased(cfg, self.architecture.names, self.tensors)
            cfg = dataclasses.replace(cfg, bias=biased)
        if DIVISORS in self.tensors:
            cfg = recovered(cfg, self._values(DIVISORS), self.path)
        return cfg

    def _configured(self) -> BackboneConfig:
        settings = Settings(self.metadata, str(self.metadata["general.architecture"]))
        try:
            settings.check_counts()
            cfg = self.architecture.configure(settings)
            settings.refuse_others()
        except KeyError as error:
            raise UserError(f"{self.path}: the setting {error} is missing") from None
        except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
            raise UserError(f"{self.path}: {error}") from None
        return cfg

    def check(self, cfg: BackboneConfig) -> None:
        """Refuse a file that does not hold this network, or holds what the network lacks.

        Raises:
            Missing: A tensor is not there.
            UserError: One has another shape than the settings say, or nothing reads it.
        """
        read = {HEAD, DIVISORS}
        for name, shape in cfg.parameters():
            read.add(self._stored(name, shape))
        for name in self.tensors.keys() - read:
            number = name.removeprefix("blk.").partition(".")[0]
            beyond = name.startswith("blk.") and number.isdecimal() and int(number) >= cfg.layers
            if not beyond and not name.startswith(CLASSIFIER):
                raise UserError(
                    f"{self.path}: tensor '{name}' is in the file, but the network that its "
                    "metadata describe has no place for it"
                )

    def read(self, name: str, shape: Shape) -> Tensor:
        """The tensor of one of our names, dequantised to fp32.

        Raises:
            Missing: There is no such tensor.
            UserError: It has another shape, or is packed in a way that is not read.
        """
        whole = self._values(self._stored(name, shape))
        _, part = counterpart(name, self.architecture.names)
        weight = whole if part is None else whole.chunk(part.of)[part.number]
        if not self.architecture.neighbours:
            return weight
        heads = {"q": self.config.heads, "k": self.config.key_heads}.get(name.split(".")[-2])
        return weight if heads is None else _halves(weight, heads)

    def _stored(self, name: str, shape: Shape) -> str:
        """The name in the file of the tensor that holds one of ours; it fits."""
        wanted, part = counterpart(name, self.architecture.names)
        if wanted not in self.tensors:
            raise Missing(f"{self.path}: tensor '{wanted}' is missing")
        there = tuple(int(size) for size in reversed(self.tensors[wanted].shape))
        stored = stored_shape(shape, part, transposed=False)
        check_shape(f"{self.path}: tensor '{wanted}'", there, stored)
        return wanted

    def _values(self, name: str) -> Tensor:
        """A tensor of the file in fp32."""
        tensor = self.tensors[name]
        try:
            values = dequantize(tensor.data, tensor.tensor_type)
        except (NotImplementedError, ValueError) as error:
            raise UserError(f"{self.path}: tensor '{name}' is not read: {error}") from None
        return torch.from_numpy(np.array(values, dtype=np.float32))

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


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows with rotated pairs as neighbours → rows with rotated halves."""
    rows = weight.view(heads, -1, 2, *weight.shape[1:])
    return rows.transpose(1, 2).reshape(weight.shape).contiguous()
