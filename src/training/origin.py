"""What made a record, besides its settings and its data: code, packages, and the kind of device.

A record's name and its seeds come from settings and data alone, so that a draw is the same
wherever it is made. The origin stands inside the record: one that was made by other code, with
other packages or on another kind of device is not taken for what a run of today would give.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from .. import methods
from ..methods.base import Method
from ..objectives import Objective

PACKAGES = ("torch", "lightning", "tokenizers", "numpy")
"""The packages whose versions decide a figure."""
DECIDING = (
    "backbone",
    "checkpoints",
    "data/split.py",
    "data/text",
    "kernels",
    "measure",
    "objectives",
    "study/cell.py",
    "study/serving.py",
    "training",
)
"""The rooms and files of this program that decide a figure; a method's own code is apart."""
CODE, METHOD_CODE, DEVICE = "code", "method code", "device"
ROOT = Path(__file__).parent.parent


def shared_origin(objective: Objective, device: torch.device) -> dict[str, str]:
    """What all methods' records have in common."""
    return {
        CODE: _digest([*_deciding_files(), *_sources([type(objective)])]),
        **versions(),
        DEVICE: device_class(device),
    }


def origin(method: type[Method], objective: Objective, device: torch.device) -> Mapping[str, str]:
    """What makes the records of a method.

    Args:
        method: Its file counts, with the files of its bases and what these import of `methods`.
        objective: Its file counts.
        device: Where it trains.
    """
    files = _with_imports(_sources(method.__mro__))
    return {**shared_origin(objective, device), METHOD_CODE: _digest(files)}


def versions() -> dict[str, str]:
    """The version of each package that decides a figure."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def device_class(device: torch.device) -> str:
    """The kind of a device: "cpu", or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def differences(made: Mapping[str, str], today: Mapping[str, str]) -> tuple[str, ...]:
    """In what two origins differ, as a message has it; empty where they are the same."""
    return tuple(_difference(name, made, today) for name in today if made.get(name) != today[name])


def _difference(name: str, made: Mapping[str, str], today: Mapping[str, str]) -> str:
    if name in (CODE, METHOD_CODE):
        return f"another state of the {name}"
    return f"{name} {made.get(name, 'unknown')} instead of {today[name]}"


def _deciding_files() -> Iterator[Path]:
    for name in DECIDING:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _sources(classes: Iterable[type]) -> Iterator[Path]:
    """The files that define these classes, but for those of installed packages."""
    for one in classes:
        if one.__module__.partition(".")[0] in ("builtins", "torch", "lightning", "abc", "typing"):
            continue
        try:
            path = inspect.getsourcefile(one)
        except (OSError, TypeError):
            continue  # typed into a console
        if path is not None and Path(path).is_file():
            yield Path(path)


def _with_imports(files: Iterable[Path]) -> set[Path]:
    """The files, and those of the methods' folder that they import, and so on."""
    reached: set[Path] = set()
    waiting = list(files)
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += [file for name in _imported(path) for file in _of_methods(name)]
    return reached


@functools.cache
def _imported(path: Path) -> tuple[str, ...]:
    """The names of the methods' folder that a file imports."""
    package = f"{methods.__name__}."
    names = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names += [node.module] if node.module else [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
            names.append((node.module or "").removeprefix(package))
    return tuple(names)


def _of_methods(name: str) -> list[Path]:
    places = (Path(folder) / f"{name}.py" for folder in methods.__path__)
    return [place for place in places if place.is_file()]


def _digest(files: Iterable[Path]) -> str:
    parts = sorted((path.name, _meaning(path, path.stat().st_mtime_ns)) for path in set(files))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@functools.cache
def _meaning(path: Path, changed: int) -> str:
    """The digest of what a file's code does: comments, docstrings and line breaks do not count."""
    return hashlib.sha256(repr(_plain(ast.parse(path.read_bytes()))).encode()).hexdigest()


def _plain(part: Any) -> Any:
    """A syntax tree as tuples that are the same under every version of Python."""
    if isinstance(part, ast.AST):
        kept = ((name, value) for name, value in ast.iter_fields(part) if value not in (None, []))
        return (type(part).__name__, *((name, _plain(value)) for name, value in kept))
    if isinstance(part, list):
        return [_plain(one) for one in part if not _is_text(one)]
    return repr(part)


def _is_text(statement: Any) -> bool:
    """Whether a statement is a text that nothing reads, as docstrings are."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
