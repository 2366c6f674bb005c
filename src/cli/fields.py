"""The settings of an experiment: every field of its dataclasses, as a flag and a YAML key."""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from .. import config
from ..methods._settings import docs_below
from .yaml_file import scalar

KeyPath = tuple[str, ...]
SHORT: dict[str, KeyPath] = {
    "backbone": ("backbone", "name"),
    "data": ("data", "source"),
    "text": ("data", "text"),
    "label": ("data", "label"),
    "test": ("data", "test"),
    "folds": ("data", "folds"),
    "trials": ("search", "trials"),
}
"""Flags that stand for a longer one."""


@dataclass(frozen=True)
class Field:
    """One setting."""

    path: KeyPath
    annotation: Any
    default: Any
    about: str


@functools.cache
def table(kind: type[Any] = config.Experiment) -> Mapping[KeyPath, Field]:
    """Every setting by its path, such as `("search", "trials")`: an experiment's by default."""
    return {field.path: field for field in _fields(kind, ())}


def experiment_flags() -> dict[str, KeyPath]:
    """The flags of a command that takes an experiment: every setting, and the file."""
    return {".".join(path): path for path in table()} | SHORT | {"experiment": ("experiment",)}


def core(annotation: Any) -> tuple[Any, bool]:
    """A type without its bounds, and whether none is allowed too."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [kind for kind in get_args(annotation) if kind is not type(None)]
        return core(inner[0])[0], True
    return annotation, False


def from_text(annotation: Any, text: str, typed: str) -> Any:
    """What a flag's text means for a setting of this type; whether it fits is asked later.

    Args:
        annotation: The setting's type.
        text: The flag's value: a number, a word, or a list with commas.
        typed: The flag as the user wrote it, for messages.

    Raises:
        UserError: The text is a number that is not read.
    """
    if config.Uncut() in getattr(annotation, "__metadata__", ()):
        return [text] if text else []
    kind, optional = core(annotation)
    if optional and text.lower() in ("", "none", "null"):
        return None
    if kind is str or get_origin(kind) is Literal:
        return text
    if get_origin(kind) is tuple:
        parts = [part.strip() for part in text.split(",")] if text.strip() else []
        return [from_text(get_args(kind)[0], part, typed) for part in parts]
    return scalar(text, typed)


def _fields(kind: type[Any], above: KeyPath) -> list[Field]:
    hints = get_type_hints(kind, include_extras=True)
    about = _documented().get(kind.__name__, {})
    collected = []
    for field in fields(kind):
        path = (*above, field.name)
        if is_dataclass(hints[field.name]):
            collected += _fields(hints[field.name], path)
        else:
            default = None if field.default is MISSING else field.default
            collected.append(Field(path, hints[field.name], default, about.get(field.name, "")))
    return collected


@functools.cache
def _documented() -> Mapping[str, Mapping[str, str]]:
    """Class → field → the string below it."""
    tree = ast.parse(Path(config.__file__).read_text("utf-8"))
    return {node.name: docs_below(node) for node in tree.body if isinstance(node, ast.ClassDef)}
