"""Slips that change nothing, each with its reason: no test could notice them.

They are listed by hand in `unchanging.toml`, by file, the text of the line, and what is changed at
which place in it, so that an entry holds until its line is another. One kind needs no list: the
types in an annotation of a class's field, which are evaluated for the methods' settings alone.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.mutants.mutations import Mutation

LIST = Path(__file__).with_name("unchanging.toml")
UNEVALUATED = "the types of a field are not evaluated here"

Key = tuple[str, str, int, str, str]
"""File, the line without its indent, the byte of it where the slip begins, what stood there and
what stands there instead, each on one line."""


def listed(path: Path = LIST) -> dict[Key, str]:
    """Slip → why it changes nothing."""
    entries = tomllib.loads(path.read_text("utf-8")).get("slip", [])
    return {
        tuple(entry[name] for name in ("file", "line", "at", "before", "after")): entry["reason"]
        for entry in entries
    }


def key_of(root: Path, mutation: Mutation) -> Key:
    """How a slip is listed."""
    source = (root / mutation.file).read_bytes()
    begin = source.rfind(b"\n", 0, mutation.start) + 1
    line = source[begin:].partition(b"\n")[0]
    at = mutation.start - begin - (len(line) - len(line.lstrip()))
    before, after = (" ".join(text.split()) for text in (mutation.before, mutation.after))
    return mutation.file, line.strip().decode(), at, before, after


def why_nothing_changes(root: Path, mutation: Mutation, known: Mapping[Key, str]) -> str | None:
    """The reason for which a slip changes nothing; none where it may change something."""
    if mutation.start in _unevaluated(root / mutation.file):
        return UNEVALUATED
    return known.get(key_of(root, mutation))


@cache
def _unevaluated(path: Path) -> frozenset[int]:
    """Where in a file, in bytes, a union of types begins that nothing evaluates."""
    source = path.read_bytes()
    if "methods" in path.parts or b"from __future__ import annotations" not in source:
        return frozenset()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return frozenset(
        starts[union.lineno - 1] + union.col_offset
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.AnnAssign)
        for union in ast.walk(node.annotation)
        if isinstance(union, ast.BinOp) and isinstance(union.op, ast.BitOr)
    )
