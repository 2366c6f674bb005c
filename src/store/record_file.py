"""A record as text: in a file of its own, and on its way to another process.

A file holds the record, the digests of the files that the record names, and the digest of both.
What comes from outside is a record only if all of that holds; anything else is none, and no error.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ..files import resolved, sha256, write_whole
from ..records import Result, Trial

LARGEST = 64 * 2**20
"""Bytes of a record: ours have some thousands, and a larger file is not read into memory."""
DEEPEST = 40
"""Levels of a record: ours have six, and what goes through them calls itself at each."""
Record = TypeVar("Record")
_adapter: Callable[[type], Any] = functools.cache(TypeAdapter)
"""What reads and writes a kind of records."""
_HANDED: Mapping[str, type] = {"Trial": Trial, "Result": Result}


def write(path: Path, record: Any, out: Path, files: Sequence[str] = ()) -> None:
    """Write a record whole.

    Args:
        path: Its file.
        record: The record.
        out: The folder that its files lie in.
        files: Their names there; they must be written already.
    """
    body = _adapter(type(record)).dump_python(record, mode="json")
    digests = {name: sha256(out / name) for name in files}
    content = {"record": body, "files": digests, "sha256": digest(body, digests)}
    write_whole(path, json.dumps(content, indent=1, allow_nan=False).encode())


def read(kind: type[Record], path: Path, out: Path) -> Record | None:
    """A record of some kind; none where its file, or one of its files in `out`, does not hold."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        content = json.loads(path.read_bytes())
        if not _is_shallow(content):
            return None
        files = content["files"]
        if content["sha256"] != digest(content["record"], files):
            return None
        if not all(_holds(out, name, known) for name, known in files.items()):
            return None
        record: Record = _adapter(kind).validate_python(content["record"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # A record's files are only those that its digests cover.
    return record if set(files_of(record)) <= set(files) else None


def _holds(out: Path, name: str, known: str) -> bool:
    """Whether a file of this name lies in the folder, with this digest; no link leads out."""
    path = resolved(out / name)
    return path.is_relative_to(resolved(out)) and sha256(path) == known


def as_text(record: Trial | Result) -> str:
    """A record as JSON, for another process."""
    body = _adapter(type(record)).dump_python(record, mode="json")
    return json.dumps([type(record).__name__, body], allow_nan=False)


def from_text(text: str) -> Trial | Result | None:
    """The record that `as_text` wrote; none where the text is none, or is no record of ours."""
    try:
        content = json.loads(text)
        if not _is_shallow(content):
            return None
        kind, body = content
        record: Trial | Result = _adapter(_HANDED[kind]).validate_python(body)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if isinstance(record, Result):
        ours = {f"adapters/{record.cell}.safetensors", f"predictions/{record.cell}.parquet"}
        if not set(files_of(record)) <= ours:
            return None
    return record


def _is_shallow(content: Any) -> bool:
    """Whether lists and mappings lie in each other no deeper than a record of ours has them."""
    level = [content]
    for _ in range(DEEPEST):
        parts = [part for part in level if isinstance(part, dict | list)]
        level = [one for p in parts for one in (p.values() if isinstance(p, dict) else p)]
    return not level


def files_of(record: Any) -> list[str]:
    """The files that a record names."""
    if not isinstance(record, Result):
        return []
    return [name for name in (record.adapter, record.predictions) if name]


def digest(*parts: Any) -> str:
    """The sha256 of plain data, in hexadecimal."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
