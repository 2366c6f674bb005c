"""An adapter file: what was trained, as safetensors, the method's settings in its header."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from ._metadata import FORMAT, FORMATS, check_format

RENAMED = {"words": "embedding", "norm_words": "norm_embedding"}
"""What parts of the backbone were called in files of the first format, and their names today."""


_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
"""How Rust, in which safetensors is written, writes the system's number of an error."""


def write(path: str | Path, weights: Mapping[str, Tensor], entries: Mapping[str, str]) -> None:
    """Write weights by name; the header says the format, and these entries.

    Raises:
        OSError: The file cannot be written, with the system's own number.
    """
    tensors = {key: value.detach().contiguous() for key, value in weights.items()}
    try:
        save_file(tensors, str(path), metadata={**entries, "format": FORMAT})
    except SafetensorError as error:
        # Its own error hides the system's, which tells a full disk from a fault of the weights.
        number = _SYSTEM_ERROR.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def header(method: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """What the header says of a method."""
    return {"method": method, "hyperparameters": json.dumps(settings)}


def read(path: str | Path) -> tuple[Mapping[str, str], Mapping[str, Tensor]]:
    """The header and the weights.

    Raises:
        UserError: There is no such file, or it is not one that `write` made.
    """
    if not Path(path).is_file():
        raise UserError(f"no adapter file '{path}'")
    try:
        with safe_open(path, framework="pt") as file:
            entries = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UserError(f"{path} is not a readable safetensors file: {error}") from None
    check_format(path, entries)
    if entries["format"] == FORMATS[0]:
        tensors = {_name_today(key): value for key, value in tensors.items()}
    return entries, tensors


def _name_today(key: str) -> str:
    """A weight's name in a file of the first format, as the backbone calls it now."""
    return ".".join(RENAMED.get(part, part) for part in key.split("."))


def fill(weights: Mapping[str, Tensor], saved: Mapping[str, Tensor], misfit: str) -> None:
    """Copy every saved weight to its place, all or none.

    Args:
        weights: By name, what is filled.
        saved: By name, what the file has.
        misfit: What to say, before the names and shapes, where they are not the same.

    Raises:
        UserError: A name is on one side alone, or its shapes differ.
    """
    odd = [
        f"'{name}' is {_shape(saved.get(name))} in the file, {_shape(weights.get(name))} here"
        for name in sorted({**weights, **saved})
        if _shape(saved.get(name)) != _shape(weights.get(name))
    ]
    if odd:
        raise UserError(f"{misfit}: {'; '.join(odd[:3])}")
    for name, weight in weights.items():
        weight.data.copy_(saved[name])


def _shape(weight: Tensor | None) -> str:
    return "not there" if weight is None else str(tuple(weight.shape))
