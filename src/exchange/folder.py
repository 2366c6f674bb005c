"""A folder that PEFT or AdapterHub wrote: `adapter_config.json` and a file of safetensors.

Such a folder was made elsewhere, so nothing in it is trusted: nothing is unpickled, the size of the
settings is bounded, the shape of every tensor is held against the settings, and a tensor that
nobody has asked for is an error (it would be a part of the adapter that is silently lost).
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

from ..checkpoints.files import read_json, refuse_pointer
from ..errors import UserError
from ..files import write_whole

LARGEST = 1 << 20
"""The most bytes that a file of settings may have."""


@dataclass(frozen=True)
class Files:
    """What a library calls the files of a folder."""

    library: str
    weights: str
    """The file of safetensors."""
    pickled: str
    """The file that the library's older versions pickled instead; it is refused."""
    safely: str
    """The argument of the library's own saving that makes it write safetensors."""
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
    """The tensors of a file. Each is read once, and `done` refuses what nobody has read."""

    def __init__(self, path: Path) -> None:
        """Read the whole file.

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
        """Whether a tensor is there and was not read yet."""
        return key in self.left

    def prefix_before(self, ending: str) -> str | None:
        """What stands before this ending in the name of a tensor; none where no name has it."""
        whole = sorted(key for key in self.left if f".{key}".endswith(f".{ending}"))
        return whole[0].removesuffix(ending) if whole else None

    def read(self, key: str, shape: tuple[int, ...]) -> Tensor:
        """A tensor in fp32, once.

        Raises:
            UserError: It is missing, has another shape than the settings ask for, or holds anything
                but finite real numbers.
        """
        if key not in self.left:
            prefix = self.prefix_before(key)
            known = "" if prefix is None else f" (there is '{prefix}{key}')"
            raise UserError(f"{self.path}: tensor '{key}' is missing{known}")
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
        """Refuse tensors that nobody has read.

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
        UserError: The file is missing, too large or not readable.
    """
    path = folder / files.settings
    if not path.is_file():
        raise UserError(f"no adapter folder '{folder}': {files.settings} is missing")
    return read_json(path, largest=LARGEST)


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


def write_folder(
    folder: Path, files: Files, settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write the settings and the weights, each file whole or not at all."""
    content = save(plain(tensors), metadata={"format": "pt"})
    write_whole(folder / files.weights, content)
    text = json.dumps(settings, indent=2, sort_keys=True, allow_nan=False)
    write_whole(folder / files.settings, f"{text}\n".encode())


def plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors takes them: detached, on the CPU, none sharing another's memory."""
    return {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
