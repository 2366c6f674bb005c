"""A folder of another library: `adapter_config.json` and safetensors; nothing is unpickled.

What is in a folder was made elsewhere: sizes are bounded, shapes are held against the settings, and
every tensor must be asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..checkpoints.files import refuse_pointer
from ..errors import UserError
from ..files import write_whole

LARGEST = 1 << 20
"""Bytes of a file of settings."""


@dataclass(frozen=True)
class Files:
    """What a library calls the files of a folder."""

    library: str
    weights: str
    pickled: str
    safely: str
    """The argument of its own saving that keeps it from pickling."""
    settings: str = "adapter_config.json"


PEFT = Files("PEFT", "adapter_model.safetensors", "adapter_model.bin", "safe_serialization=True")
ADAPTERS = Files("adapters", "adapter.safetensors", "pytorch_adapter.bin", "use_safetensors=True")
HEAD = Files(
    "adapters",
    "model_head.safetensors",
    "pytorch_model_head.bin",
    "use_safetensors=True",
    "head_config.json",
)
"""The files of an AdapterHub head, which stands beside its adapter."""


class Tensors:
    """A folder's tensors; each is read once, and what nobody read is an error."""

    def __init__(self, path: Path) -> None:
        """Read the file whole.

        Raises:
            UserError: It is no safetensors file, or a pointer of Git LFS.
        """
        self.path = path
        refuse_pointer(path)
        try:
            with safe_open(path, framework="pt") as file:
                self.left = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path} is not a readable safetensors file: {error}") from None

    def __contains__(self, key: object) -> bool:
        """Whether a tensor is there and was not read."""
        return key in self.left

    def read(self, key: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor in fp32.

        Raises:
            UserError: It is missing, has another shape than the settings ask for, or holds what is
                no finite real number.
        """
        if key not in self.left:
            raise UserError(f"{self.path}: tensor '{key}' is missing")
        tensor = self.left.pop(key)
        if tuple(tensor.shape) != shape:
            raise UserError(
                f"{self.path}: tensor '{key}' has shape {tuple(tensor.shape)}, "
                f"but the settings and the backbone ask for {shape}"
            )
        if not tensor.is_floating_point():
            raise UserError(f"{self.path}: tensor '{key}' holds {tensor.dtype}, not real numbers")
        if not bool(tensor.isfinite().all()):
            raise UserError(f"{self.path}: tensor '{key}' holds numbers that are not finite")
        real: Tensor = tensor.to(torch.float32)
        return real

    def done(self) -> None:
        """Nothing may be left over.

        Raises:
            UserError: There are tensors that nothing here has a place for; the text names some.
        """
        if self.left:
            some = ", ".join(f"'{key}'" for key in sorted(self.left)[:3])
            raise UserError(
                f"{self.path}: {len(self.left)} tensors have no place on this backbone: {some}"
            )


def open_settings(folder: Path, files: Files) -> Mapping[str, Any]:
    """A folder's settings.

    Raises:
        UserError: The file is missing or not readable.
    """
    path = folder / files.settings
    if not path.is_file():
        raise UserError(f"no adapter folder '{folder}': {files.settings} is missing")
    return read_json(path)


def open_weights(folder: Path, files: Files) -> Tensors:
    """A folder's tensors.

    Raises:
        UserError: The file is missing, is not readable, or would have to be unpickled.
    """
    path, pickled = folder / files.weights, folder / files.pickled
    if not path.is_file() and pickled.is_file():
        raise UserError(
            f"{pickled} is a pickle, and reading one runs what its maker wrote: "
            f"save it as {files.weights} with {files.library} first (`{files.safely}`)"
        )
    if not path.is_file():
        raise UserError(f"no {files.library} folder '{folder}': {files.weights} is missing")
    return Tensors(path)


def read_json(path: Path) -> Mapping[str, Any]:
    """A file of settings.

    Raises:
        UserError: It is too large to be one, or is not JSON.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} is larger than a file of settings may be ({LARGEST:,} bytes)")
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: an object of settings is needed, but got {type(raw).__name__}")
    return raw


def write_folder(
    folder: Path, files: Files, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write both files, each whole or not at all."""
    content = save(plain(tensors), metadata={"format": "pt"})
    write_whole(folder / files.weights, content)
    text = json.dumps(settings, indent=2, sort_keys=True, allow_nan=False)
    write_whole(folder / files.settings, f"{text}\n".encode())


def plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as a file takes them: detached, on the CPU, each with memory of its own."""
    return {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
