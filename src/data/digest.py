"""sha256 digests of rows: what identifies data, whoever stored it and how.

`digest` pins everything a run can see: a changed comma is other data. `rows_digest` asks a
looser question, whether two files hold the same examples: it survives another order and another
line end, so that a TSV file and a Parquet file can be compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from .tasks import Examples, Task


def digest(task: Task, train: Examples, test: Examples, extra: Mapping[str, Examples]) -> str:
    """The sha256 of a task's definition and of all its rows in order, as hexadecimal digits.

    Only what decides a result counts: the one line for people and the folder do not.
    """
    total = hashlib.sha256(_line(task.name, task.text, task.label, task.labels, task.metrics))
    splits = {"train": train, "test": test} | {f"extra/{name}": extra[name] for name in extra}
    for name in sorted(splits):
        rows = splits[name]
        total.update(_line(name, len(rows)))
        for row in zip(rows.ids, rows.texts, rows.labels, strict=True):
            total.update(_line(*row))
    return total.hexdigest()


def rows_digest(rows: Examples) -> str:
    """The sha256 of labels and texts alone, in sorted order, runs of white space as one space."""
    lines = (
        _line(label, *(" ".join(text.split()) for text in texts))
        for texts, label in zip(rows.texts, rows.labels, strict=True)
    )
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def ids_digest(ids: Iterable[object]) -> str:
    """The sha256 of rows' names in their order, its first 16 digits."""
    return hashlib.sha256(json.dumps([str(name) for name in ids]).encode()).hexdigest()[:16]


def repeated(train: Examples, test: Examples) -> int:
    """How many test rows have an input that also occurs in train."""
    seen = set(train.texts)
    return sum(texts in seen for texts in test.texts)


def _line(*values: object) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"
