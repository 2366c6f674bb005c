"""A trained soft prompt as a file, from which another task's prompt starts. No torch before `read`.

    adapter file of ours     [backbone.]prompt.table        prompt, and p_tuning without its encoder
    folder of PEFT           prompt_embeddings              PROMPT_TUNING, P_TUNING

Prompt transfer is SPoT's: Vu et al. 2022, arXiv:2110.07904, §2.1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backbone.config import BackboneConfig
from ..errors import UserError
from ..files import at_home
from ._metadata import read_metadata

if TYPE_CHECKING:
    from torch import Tensor

TABLE = "prompt.table"
PEFT_TABLE = "prompt_embeddings"
PEFT_SETTINGS, PEFT_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PEFT_TYPES = ("PROMPT_TUNING", "P_TUNING")
LARGEST = 1 << 20
"""The most bytes that a folder's settings may have: it may come from a stranger."""


@dataclass(frozen=True)
class TrainedPrompt:
    """Where p vectors of width d stand, and what they were trained on."""

    file: Path
    tensor: str
    """Its name in the file."""
    shape: tuple[int, ...]
    backbone: str = ""
    """The backbone's name; empty where the file does not say it."""
    digest: str = ""
    """Of that backbone's weights; empty where the file does not say it."""
    depth: int | None = None
    """That backbone's layers, where the file says them beside the vectors."""

    def check(self, length: int, cfg: BackboneConfig) -> None:
        """Refuse vectors that are not p for a backbone of this shape.

        Raises:
            UserError: Their number, their width, or the backbone's depth is another.
        """
        if len(self.shape) != 2:
            raise UserError(f"'{self.file}' holds no p vectors, but a tensor of shape {self.shape}")
        if self.shape[1] != cfg.width or self.depth not in (None, cfg.layers):
            depth = "" if self.depth is None else f" and {self.depth} layers"
            raise UserError(
                f"'{self.file}' was trained on another backbone, of width {self.shape[1]}{depth} "
                f"(here: width {cfg.width}, {cfg.layers} layers)"
            )
        if self.shape[0] != length:
            raise UserError(
                f"'{self.file}' holds {self.shape[0]} vectors, but the length is {length}: "
                f"set methods.prompt.length to {self.shape[0]}"
            )

    def check_digest(self, digest: str) -> None:
        """Refuse vectors of other weights than these; a file that names none is trusted.

        Raises:
            UserError: They belong to another backbone.
        """
        if self.digest and self.digest != digest:
            raise UserError(
                f"'{self.file}' was trained on another backbone ('{self.backbone}'): its digest "
                f"is {self.digest[:12]}…, and not {digest[:12]}…"
            )

    def read(self) -> Tensor:
        """The vectors (p d), in fp32.

        Raises:
            UserError: The file is damaged by now, or its numbers are not real and finite.
        """
        import torch
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.file, framework="pt") as file:
                table: Tensor = file.get_tensor(self.tensor)
        except (SafetensorError, OSError) as error:
            raise UserError(f"'{self.file}' is not readable: {error}") from None
        if not table.is_floating_point() or not bool(table.isfinite().all()):
            raise UserError(f"'{self.file}' holds vectors that are not real and finite")
        return table.to(torch.float32)


def trained_prompt(place: str | Path) -> TrainedPrompt:
    """The soft prompt that an adapter file, or a folder with one, holds.

    Args:
        place: An adapter file; a folder with one alone; or PEFT's folder.

    Raises:
        UserError: There is no such file, it is damaged, or it holds no soft prompt.
    """
    path = at_home(place)
    if path.is_dir():
        if (path / PEFT_SETTINGS).is_file():
            return _of_peft(path)
        files = sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            names = ", ".join(file.name for file in files[:3]) or "none"
            raise UserError(f"'{place}' must hold one adapter file, but holds {names}")
        (path,) = files
    metadata, shapes = read_metadata(path)
    tensor = next((name for name in shapes if f".{name}".endswith(f".{TABLE}")), None)
    if tensor is None:
        raise UserError(f"'{path}' holds no soft prompt, but what '{metadata.method}' trained")
    return TrainedPrompt(
        path, tensor, shapes[tensor], metadata.backbone, metadata.backbone_digest, metadata.layers
    )


def _of_peft(folder: Path) -> TrainedPrompt:
    """The soft prompt of a folder that PEFT wrote."""
    from safetensors import SafetensorError, safe_open

    settings = _settings(folder / PEFT_SETTINGS)
    kind, path = settings.get("peft_type"), folder / PEFT_WEIGHTS
    if kind not in PEFT_TYPES:
        raise UserError(f"'{folder}' holds no soft prompt, but PEFT's {str(kind)[:40]}")
    if not path.is_file():
        raise UserError(f"no PEFT folder '{folder}': {PEFT_WEIGHTS} is missing")
    try:
        with safe_open(path, framework="numpy") as file:
            if PEFT_TABLE not in file.keys():  # noqa: SIM118
                raise UserError(f"{path}: tensor '{PEFT_TABLE}' is missing")
            shape = tuple(file.get_slice(PEFT_TABLE).get_shape())
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable safetensors file: {error}") from None
    layers = settings.get("num_layers")
    return TrainedPrompt(path, PEFT_TABLE, shape, depth=layers if type(layers) is int else None)


def _settings(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is not readable: it holds no settings")
    return content
