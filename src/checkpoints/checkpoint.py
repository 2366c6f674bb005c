"""`Checkpoint`: a pretrained model on disk, located once, from which everything else is read.

A checkpoint is a Hugging Face folder (by path, or by its name on the hub), a GGUF file, or a folder
of settings alone: a network to train from scratch. Its settings are read without torch, so that the
command line can answer before anything heavy is imported.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..backbone.config import BackboneConfig
from ..errors import UserError
from .catalogue import is_on_hub, locate
from .files import PICKLES, refusal
from .format import CheckpointFiles

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from ..backbone.model import Backbone
    from .language_head import LanguageHead

SOURCE_ENDINGS = frozenset({".json", ".safetensors", ".gguf"})
"""Endings of the files that a folder is read from."""


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained model on disk: `Checkpoint.open("minilm").load_backbone()`."""

    name: str
    """As it was asked for: a known name, `owner/name` on the hub, or a path."""
    path: Path
    """The folder, or the GGUF file."""
    layers: int | None = None
    """Only the first so many layers are read; none means all."""

    @classmethod
    def open(cls, name_or_path: str | Path = "minilm", layers: int | None = None) -> Checkpoint:
        """Find a checkpoint; what it holds is read when it is first asked for.

        Args:
            name_or_path: A name (`tunebench backbones` lists them), `owner/name` on the hub, a
                folder with config.json and safetensors, or a GGUF file.
            layers: Only the first so many layers; none means all.

        Raises:
            UserError: Nothing is there, or the hub cannot be reached.
        """
        return cls(str(name_or_path), locate(str(name_or_path)), layers)

    @functools.cached_property
    def files(self) -> CheckpointFiles:
        """The files behind it, opened once.

        Raises:
            UserError: They are of no format that is read.
        """
        if self.path.is_dir():
            from .folder import Folder

            return Folder(self.path)
        if self.path.suffix == ".gguf":
            # Only here: the reader of GGUF files takes a quarter of a second to import.
            from .gguf.file import GgufFile

            return GgufFile(self.path)
        if any(self.path.match(pattern) for pattern in PICKLES):
            raise UserError(f"backbone file {self.path}: {refusal(self.path.name)}")
        raise UserError(
            f"backbone file {self.path}: only folders with safetensors and .gguf files are read"
        )

    @property
    def model_type(self) -> str:
        """What transformers calls the family, whatever format the files have."""
        return self.files.model_type

    @functools.cached_property
    def config(self) -> BackboneConfig:
        """The network's shape, with as many layers as were asked for.

        Raises:
            UserError: The settings are not understood, or there are fewer layers.
        """
        cfg = self.files.config
        if self.layers is None:
            return cfg
        if not 1 <= self.layers <= cfg.layers:
            raise UserError(
                f"`1 <= backbone.layers <= {cfg.layers}` must hold for '{self.name}', "
                f"but got {self.layers}"
            )
        return dataclasses.replace(cfg, layers=self.layers)

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over the weight files and the number of layers: what the numbers depend on.

        A network to train from scratch has no weight files: there its settings count.
        """
        total = hashlib.sha256(f"layers={self.layers}".encode())
        for file in self.files.deciding_files:
            with file.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
        return total.hexdigest()

    def source_files(self) -> list[Path]:
        """Every file that settings, weights and tokenizer may be read from; none is opened."""
        if not self.path.is_dir():
            return [self.path]
        return sorted(file for file in self.path.iterdir() if file.suffix in SOURCE_ENDINGS)

    def read(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The tensor of one of our names, which must have this shape, in fp32.

        Raises:
            Missing: There is no such tensor.
            UserError: It has another shape, or its file is damaged.
        """
        return self.files.read(name, shape)

    def load_backbone(self) -> Backbone:
        """The pretrained network in fp32 and evaluation mode, a new copy at each call.

        Raises:
            UserError: It cannot be read; the text says what is missing or wrong.
        """
        from .assemble import build_backbone

        self.files.check(self.config)
        return build_backbone(self.config, self.read)

    def load_tokenizer(self) -> Tokenizer:
        """The tokenizer that belongs to it, without padding or truncation.

        Raises:
            UserError: It is missing, damaged or of a kind that is not read.
        """
        tokenizer = self.files.tokenizer()
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    def load_language_head(self, backbone: Backbone) -> LanguageHead:
        """The pretrained head from this backbone's final states to the vocabulary, frozen.

        Where the head is the embedding's own table, it shares that of `backbone`.

        Raises:
            UserError: The checkpoint has none.
        """
        from .format import Missing
        from .language_head import read_language_head

        try:
            return read_language_head(backbone.cfg, self.read, backbone.embedding.weight)
        except Missing as error:
            raise UserError(f"backbone '{self.name}' has no language head: {error}") from None

    def stop_tokens(self) -> frozenset[int]:
        """The tokens that end a generated text; empty where the checkpoint does not say."""
        if is_on_hub(self.name):
            from .hub import fetch_generation_settings

            fetch_generation_settings(self.name, self.path)
        return self.files.stop_tokens()


def load_backbone(name_or_folder: str | Path = "minilm", *, layers: int | None = None) -> Backbone:
    """The pretrained backbone, in fp32 and evaluation mode.

    Args:
        name_or_folder: A name (`tunebench backbones` lists them), `owner/name` on the hub, a
            folder with config.json and safetensors, or a GGUF file.
        layers: Only the first so many layers; none means all.

    Returns:
        A module from `input_ids`, `attention_mask` and optional `token_type_ids` (b t) to final
        hidden states (b t d).

    Raises:
        UserError: Where nothing is there, or it cannot be read; the text says what is missing.
    """
    return Checkpoint.open(name_or_folder, layers).load_backbone()
