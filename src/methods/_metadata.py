"""What an adapter file says of itself: all that is needed to use it years later. No torch here.

The header of a safetensors file maps texts to texts; lists and numbers stand in it as JSON. Files
that were made before these entries existed, or by `Method.save` alone, lack some of them: they
load all the same, and `lacks` says which ones somebody else must know.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError

FORMAT = "tunebench-adapter-2"
FORMATS = ("tunebench-adapter-1", FORMAT)
"""Every format that is read. The first one had neither task nor backbone in its header."""


@dataclasses.dataclass(frozen=True)
class AdapterMetadata:
    """What was trained, on which backbone, for which question."""

    backbone: str = ""
    """A known name, the hub's name, or the whole path of a folder or file."""
    layers: int | None = None
    """The backbone's first so many layers; none means all."""
    backbone_digest: str = ""
    task: str = ""
    text: tuple[str, ...] = ()
    """The names of the text columns: one, or two for a pair."""
    objective: str = ""
    labels: tuple[str, ...] = ()
    """The names of the classes, in the order of the head's outputs."""
    pooling: str = ""
    """What a linear head reads; empty with a template."""
    template: str = ""
    label_words: tuple[str, ...] = ()
    """With a template: each class's word."""
    max_length: int | None = None
    """Longer texts are cut to so many tokens."""
    center: float = 0.0
    spread: float = 1.0
    """value = center + spread · output, where a regression's scale does not fit into its head."""
    method: str = dataclasses.field(default="", kw_only=True)
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict, kw_only=True)
    lacks: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)
    """The entries that the file does not have."""

    def to_header(self, *names: str) -> dict[str, str]:
        """These entries as texts, all without a name; what the method is `Method.save` writes."""
        header: dict[str, str] = {}
        for name in names or ENTRIES:
            value = getattr(self, name)
            header[name] = value if isinstance(value, str) else json.dumps(value)
        return header


ENTRIES = tuple(field.name for field in dataclasses.fields(AdapterMetadata) if not field.kw_only)
"""What a header has beside the format, the method and its hyperparameters."""


def read_metadata(path: str | Path) -> tuple[AdapterMetadata, Mapping[str, tuple[int, ...]]]:
    """What a file says of itself, and the shape of each of its tensors by name.

    Raises:
        UserError: There is no such file, it is damaged, or it is no adapter file of ours.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise UserError(f"no adapter file '{path}'")
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable safetensors file: {error}") from None
    return parse_header(path, header), shapes


def parse_header(path: str | Path, header: Mapping[str, str]) -> AdapterMetadata:
    """The header of an adapter file as metadata.

    Raises:
        UserError: It is not that of an adapter file, or an entry is not what it should be.
    """
    check_format(path, header)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(AdapterMetadata):
        if field.name not in header:
            continue
        text = header[field.name]
        try:
            values[field.name] = _value(field, text)
        except (ValueError, TypeError, RecursionError):
            raise UserError(f"{path}: its {field.name} are not read: {text[:80]!r}") from None
    if "method" not in values or "hyperparameters" not in values:
        raise UserError(f"{path}: its method or hyperparameters are missing")
    lacks = tuple(name for name in ENTRIES if name not in header)
    return AdapterMetadata(**values, lacks=lacks)


def check_format(path: str | Path, header: Mapping[str, str]) -> None:
    """Refuse a safetensors file that was not made by this library.

    Raises:
        UserError: Its format is another.
    """
    if header.get("format") not in FORMATS:
        raise UserError(
            f"{path} is not an adapter that was saved here "
            f"(its format is '{header.get('format')}', not '{FORMAT}')"
        )


def _value(field: dataclasses.Field[Any], text: str) -> Any:
    """An entry's value; its type is that of the default."""
    if field.type == "str":
        return text
    value = json.loads(text)
    if field.name == "hyperparameters":
        if not isinstance(value, dict):
            raise TypeError
        # JSON has no tuples.
        return {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}
    if field.type == "tuple[str, ...]":
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise TypeError
        return tuple(value)
    if field.type == "float":
        return float(value)
    if value is not None and (type(value) is not int or value < 1):
        raise TypeError
    return value
