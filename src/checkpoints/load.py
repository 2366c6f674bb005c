"""`load_backbone`: a known name, a Hugging Face folder or a GGUF file → a `Backbone`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..backbone.config import BackboneConfig
from ..backbone.model import Backbone
from ..backbone.positions import SCHEMES
from ..errors import UserError
from .catalogue import locate
from .files import PICKLES, refusal, weight_files
from .folder import Missing, Read, open_folder


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
        with torch.no_grad():
            parameter.copy_(read(name, tuple(parameter.shape)))
    if cfg.positions == "sinusoidal":
        _check_waves(backbone, read)
    return backbone.eval()


def _check_waves(backbone: Backbone, read: Read) -> None:
    """Refuse a stored table of positions that is not the waves its settings say it is."""
    table: Tensor = backbone.positions.get_buffer("table")
    try:
        stored = read("positions.table.weight", tuple(table.shape))
    except Missing:
        return
    if not torch.allclose(stored, table, rtol=0, atol=1e-3):
        raise UserError("the checkpoint's positions are to be sinusoidal, but its table is not")


def open_checkpoint(path: Path) -> tuple[BackboneConfig, Read]:
    """Configuration and weights of a folder or a file."""
    if path.is_dir():
        return open_folder(path)
    if path.suffix == ".gguf":
        # Only here: the reader of GGUF files takes a quarter of a second to import.
        from .gguf.file import open_gguf

        return open_gguf(path)
    if any(path.match(pattern) for pattern in PICKLES):
        raise UserError(f"backbone file {path}: {refusal(path.name)}")
    raise UserError(f"backbone file {path}: only folders with safetensors and .gguf files are read")


def digest(name_or_folder: str | Path, layers: int | None) -> str:
    """sha256 over the checkpoint's weight files and the number of layers taken.

    A backbone to train from scratch has no such files: there its settings count.
    """
    path = locate(str(name_or_folder))
    total = hashlib.sha256(f"layers={layers}".encode())
    files = weight_files(path) or [path / "config.json"] if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def _renew_tables(backbone: Backbone) -> None:
    """Position tables are computed, not stored: `to_empty` left them without values."""
    scheme = backbone.positions
    fresh = SCHEMES[backbone.cfg.positions](backbone.cfg)
    for name, table in fresh.named_buffers():
        setattr(scheme, name, table)
