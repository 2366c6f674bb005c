"""What a format of checkpoints has to answer, and what all formats ask of tensors.

A new format is a subclass of `CheckpointFiles` and a line in `Checkpoint.files`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..backbone.config import BackboneConfig
from ..errors import UserError
from .families import Part

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

Shape = tuple[int, ...]
Read = Callable[[str, Shape], "Tensor"]
"""Gives the tensor of one of our names, which must have this shape, in fp32.

Raises:
    UserError: It is missing, or has another shape; the text has its name in the file.
"""


class Missing(UserError):
    """A checkpoint has no such tensor."""


class CheckpointFiles(ABC):
    """The files of one checkpoint, asked by our names; each is opened when it is first needed.

    Every member raises `UserError` where the files are damaged, or say something unsupported.
    """

    @property
    @abstractmethod
    def model_type(self) -> str:
        """What transformers calls the family, such as "bert" or "llama"."""

    @property
    @abstractmethod
    def config(self) -> BackboneConfig:
        """The shape of the whole network."""

    @property
    @abstractmethod
    def deciding_files(self) -> Sequence[Path]:
        """The files whose content decides the weights, always in the same order."""

    @abstractmethod
    def check(self, cfg: BackboneConfig) -> None:
        """Refuse files that do not hold this network: asked before any memory is taken.

        Raises:
            Missing: A tensor is not there.
            UserError: One has another shape than the settings say, or is there against them.
        """

    @abstractmethod
    def read(self, name: str, shape: Shape) -> Tensor:
        """The tensor of one of our names, in fp32.

        Raises:
            Missing: There is no such tensor.
            UserError: It has another shape, or holds no floating-point numbers.
        """

    @abstractmethod
    def tokenizer(self) -> Tokenizer:
        """The tokenizer as it is stored."""

    @abstractmethod
    def stop_tokens(self) -> frozenset[int]:
        """The tokens that end a text; empty where the files do not say."""


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
