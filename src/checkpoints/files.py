"""A checkpoint folder's files, and what is wrong with them in one sentence.

Nothing is ever unpickled: safetensors or GGUF only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import UserError

INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_POINTER = b"version https://git-lfs.github.com/spec/"
_HEADER = 8
"""Bytes that hold the length of a safetensors file's header."""


def refuse_pointer(path: Path) -> None:
    """Refuse what git leaves in a large file's place.

    Raises:
        UserError: The file is a pointer of Git LFS.
    """
    with path.open("rb") as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            raise UserError(
                f"{path} is a pointer of Git LFS, not the file itself: run `git lfs pull` there"
            )


def read_json(path: Path, *, largest: int | None = None) -> Mapping[str, Any]:
    """A file of settings, such as a config.json.

    Args:
        path: The file.
        largest: The most bytes it may have; none means any size.

    Raises:
        UserError: It is not readable, is larger, or holds anything but one JSON object.
    """
    try:
        refuse_pointer(path)
        if largest is not None and path.stat().st_size > largest:
            raise UserError(f"{path} is larger than a file of settings may be ({largest:,} bytes)")
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not readable JSON: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: an object of settings is needed, but got {type(raw).__name__}")
    return raw


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold a folder's weights, none where there are none.

    Raises:
        UserError: A shard that the index names is missing, or there are pickles alone.
    """
    index, single = folder / INDEX, folder / "model.safetensors"
    if index.is_file():
        named = shards(index)
        for name in named:
            if not (folder / name).is_file():
                raise UserError(f"backbone folder {folder}: {name} is missing, named in {INDEX}")
        return [folder / name for name in named]
    every = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    files = [single] if single in every else every
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if not files and pickles:
        raise UserError(f"backbone folder {folder}: {refusal(pickles[0])}")
    return files


def shards(index: Path) -> list[str]:
    """The names of the files among which the weights are spread.

    Raises:
        UserError: The index does not say which file each tensor is in.
    """
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(name, str) for name in where.values()):
        raise UserError(f"{index}: weight_map must name a file for each tensor")
    return sorted(set(where.values()))


def refusal(name: str) -> str:
    """Why a pickle is not read."""
    return (
        f"{name} is a pickle, which may run any code when it is read, so it is not; "
        "save the weights as model.safetensors"
    )


def index(files: Sequence[Path]) -> dict[str, Path]:
    """Each tensor's file."""
    where: dict[str, Path] = {}
    for path in files:
        refuse_pointer(path)
        try:
            with safe_open(path, framework="pt") as file:
                where.update(dict.fromkeys(file.keys(), path))
        except SafetensorError as error:
            raise UserError(
                f"{path} is not a readable safetensors file: {_cut(path) or error}"
            ) from None
    return where


def _cut(path: Path) -> str:
    """The first tensor that a truncated file does not hold whole; nothing where it is not cut."""
    content = path.read_bytes()
    length = int.from_bytes(content[:_HEADER], "little")
    try:
        header = json.loads(content[_HEADER : _HEADER + length])
        rows = {name: row for name, row in header.items() if name != "__metadata__"}
        ordered = sorted(rows.items(), key=lambda item: item[1]["data_offsets"])
        for name, row in ordered:
            (begin, end), there = row["data_offsets"], len(content) - _HEADER - length
            if end > there:
                return _size_error(name, row["shape"], end - begin, max(there - begin, 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return ""


def _size_error(name: str, shape: Sequence[int], size: int, there: int) -> str:
    numbers = math.prod(shape)
    return (
        f"it is cut short in tensor '{name}' of shape {tuple(shape)}: "
        f"of its {numbers} numbers {there * numbers // max(size, 1)} are there"
    )
