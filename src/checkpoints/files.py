"""A checkpoint folder's files, and what is wrong with them in one sentence.

Nothing is ever unpickled: safetensors or GGUF only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import UserError
from ..text import one_line

INDEX = "model.safetensors.index.json"
PART = re.compile(r"(?P<name>.+)-(?P<number>\d+)-of-(?P<of>\d+)\.safetensors")
"""One of several files that belong together."""
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
    except RecursionError:
        raise UserError(f"{path} is not readable JSON: it is nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{path} is not readable JSON: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: an object of settings is needed, but got {type(raw).__name__}")
    return raw


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold a folder's weights, none where there are none.

    As in transformers, model.safetensors goes before an index: saving a model whole leaves the
    index of an earlier one, that was saved in shards, where it is.

    Raises:
        UserError: A shard is missing, or there are pickles alone.
    """
    single, listed = folder / "model.safetensors", folder / INDEX
    if single.is_file():
        return [single]
    if listed.is_file():
        return [_present(folder, name, f"named in {INDEX}") for name in shards(listed)]
    files = sorted(path for path in folder.glob("*.safetensors") if path.is_file())
    for path in files:
        if part := PART.fullmatch(path.name):
            for number in range(1, int(part["of"]) + 1):
                name = f"{part['name']}-{number:0{len(part['number'])}}-of-{part['of']}.safetensors"
                _present(folder, name, f"which {path.name} belongs to")
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if not files and pickles:
        raise UserError(f"backbone folder {folder}: {refusal(pickles[0])}")
    return files


def _present(folder: Path, name: str, reason: str) -> Path:
    """A file of the folder that must be there."""
    if not (folder / name).is_file():
        raise UserError(f"backbone folder {folder}: {name} is missing, {reason}")
    return folder / name


def shards(listed: Path) -> list[str]:
    """The names of the files among which the weights are spread, as an index says.

    Raises:
        UserError: The index does not say which file each tensor is in, or names one elsewhere.
    """
    where = read_json(listed).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(name, str) for name in where.values()):
        raise UserError(f"{listed}: weight_map must name a file for each tensor")
    names = sorted(set(where.values()))
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise UserError(
                f"{listed}: weight_map must name .safetensors files beside it: {name!r}"
            )
    return names


def refusal(name: str) -> str:
    """Why a pickle is not read."""
    return (
        f"{name} is a pickle, which may run any code when it is read, so it is not; "
        "save the weights as model.safetensors"
    )


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is, and its shape there."""

    path: Path
    shape: tuple[int, ...]


def index(files: Sequence[Path]) -> dict[str, StoredTensor]:
    """Every tensor of these files by its name; only their headers are read, and without torch.

    Raises:
        UserError: A file is damaged, or a tensor is in two of them.
    """
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        refuse_pointer(path)
        try:
            with safe_open(path, framework="np") as file:
                names = file.keys()
                shapes = {name: file.get_slice(name).get_shape() for name in names}
        except SafetensorError as error:
            raise UserError(
                f"{path} is not a readable safetensors file: {_cut(path) or one_line(str(error))}"
            ) from None
        for key, shape in shapes.items():
            if key in tensors:
                both = f"{tensors[key].path.name} and {path.name}"
                raise UserError(f"{path.parent}: tensor '{key}' is in two files, {both}")
            tensors[key] = StoredTensor(path, tuple(shape))
    return tensors


def _cut(path: Path) -> str:
    """The first tensor that a truncated file does not hold whole; nothing where it is not cut."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER), "little")
        content = file.read(min(length, size))
    try:
        header = json.loads(content)
        rows = {name: row for name, row in header.items() if name != "__metadata__"}
        ordered = sorted(rows.items(), key=lambda item: item[1]["data_offsets"])
        for name, row in ordered:
            (begin, end), there = row["data_offsets"], size - _HEADER - length
            if end > there:
                return _size_error(name, row["shape"], end - begin, max(there - begin, 0))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return ""


def _size_error(name: str, shape: Sequence[int], size: int, there: int) -> str:
    numbers = math.prod(shape)
    return (
        f"it is cut short in tensor '{name}' of shape {tuple(shape)}: "
        f"of its {numbers} numbers {there * numbers // max(size, 1)} are there"
    )
