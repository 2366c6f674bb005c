"""`load_backbone`: a known name, a Hugging Face folder or a GGUF file → a `Backbone`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import UserError
from .catalogue import locate
from .checkpoints import Read, open_folder
from .config import BackboneConfig
from .model import Backbone
from .positions import SCHEMES


def load_backbone(name_or_folder: str | Path = "minilm", *, layers: int | None = None) -> Backbone:
    """The pretrained backbone, in fp32 and evaluation mode.

    Args:
        name_or_folder: A name (`tunebench backbones` lists them), a folder with config.json and
            safetensors, or a GGUF file.
        layers: Only the first so many layers; none means all.

    Returns:
        A module from `input_ids`, `attention_mask` and optional `token_type_ids` (b t) to final
        hidden states (b t d).

    Raises:
        UserError: Where nothing is there, or it cannot be read; the text says what is missing.
    """
    cfg, read = open_checkpoint(locate(str(name_or_folder)))
    if layers is not None:
        if not 1 <= layers <= cfg.layers:
            raise UserError(
                f"`1 <= backbone.layers <= {cfg.layers}` must hold for '{name_or_folder}', "
                f"but got {layers}"
            )
        cfg = replace(cfg, layers=layers)
    with torch.device("meta"):
        backbone = Backbone(cfg)
    backbone = backbone.to_empty(device="cpu")
    _renew_tables(backbone)
    for name, parameter in backbone.named_parameters():
        tensor = read(name)
        if tensor.shape != parameter.shape:
            raise UserError(
                f"{name_or_folder}: tensor for '{name}' has shape {tuple(tensor.shape)}, "
                f"but the configuration asks for {tuple(parameter.shape)}"
            )
        with torch.no_grad():
            parameter.copy_(tensor)
    return backbone.eval()


def open_checkpoint(path: Path) -> tuple[BackboneConfig, Read]:
    """Configuration and weights of a folder or a file."""
    if path.is_dir():
        return open_folder(path)
    if path.suffix == ".gguf":
        # Only here: the reader of GGUF files takes a quarter of a second to import.
        from .gguf import open_gguf

        return open_gguf(path)
    raise UserError(f"backbone file {path}: only folders with safetensors and .gguf files are read")


def digest(name_or_folder: str | Path, layers: int | None) -> str:
    """sha256 over the checkpoint's weight files and the number of layers taken."""
    path = locate(str(name_or_folder))
    total = hashlib.sha256(f"layers={layers}".encode())
    for file in sorted(path.glob("*.safetensors")) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _renew_tables(backbone: Backbone) -> None:
    """Position tables are computed, not stored: `to_empty` left them without values."""
    scheme = backbone.positions
    fresh = SCHEMES[backbone.cfg.positions](backbone.cfg)
    for name, table in fresh.named_buffers():
        setattr(scheme, name, table)
