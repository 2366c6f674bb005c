"""Which files of tests run which lines of the source, and how long each takes.

Measured once for a state of the source and the tests, by coverage, each file in a process of its
own: a slip is then tried with those files alone that run its statement, the quickest first. What a
test runs in yet another process is not seen.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reach:
    """What each file of tests takes, and which lines it runs."""

    seconds: dict[str, float]
    """File of tests → seconds; only files with fast tests, all of which pass."""
    lines: dict[str, dict[str, frozenset[int]]]
    """File of tests → file of the source → its lines."""

    def of(self, file: str, statement: range) -> set[str]:
        """The files of tests that run a statement of a file of the source."""
        return {test for test, lines in self.lines.items() if lines.get(file, _NONE) & {*statement}}


_NONE: frozenset[int] = frozenset()


def states(root: Path, names: Iterable[str]) -> dict[str, str]:
    """A digest for each file of tests: of itself, all of the source, and what tests share.

    What plants the slips is left out.

    Args:
        root: The project's root.
        names: The project's files, relative to the root.
    """
    parts = sorted(name for name in names if name.partition("/")[0] in {"src", "tests"})
    tests = [name for name in parts if re.match(r"tests/(.+/)?test_[^/]*\.py$", name)]
    shared = hashlib.sha256()
    for name in sorted({*parts} - {*tests}):
        if name.startswith("tests/mutants/"):
            continue
        shared.update(f"{name}\0".encode() + (root / name).read_bytes() + b"\0")
    result = {}
    for name in tests:
        state = shared.copy()
        state.update((root / name).read_bytes())
        result[name] = state.hexdigest()[:16]
    return result


def read(path: Path, states: dict[str, str]) -> tuple[Reach, set[str]]:
    """What was measured for these states, and for which files of tests, whatever came of it."""
    seconds: dict[str, float] = {}
    lines: dict[str, dict[str, frozenset[int]]] = {}
    measured = set()
    text = path.read_text("utf-8") if path.exists() else ""
    for row in map(json.loads, text.splitlines()):
        test = row["tests"]
        if row["state"] != states.get(test):
            continue
        measured.add(test)
        if row["status"] == "passed":
            seconds[test] = row["seconds"]
            lines[test] = {file: frozenset(of) for file, of in row["lines"].items()}
    return Reach(seconds, lines), measured


@contextmanager
def recorded(place: Path, lines: Path) -> Iterator[None]:
    """Write which lines of a copy's source run within the block: {file: [line, ...]}."""
    import coverage

    tracer = coverage.Coverage(data_file=None, source=[str(place / "src")], config_file=False)
    tracer.start()
    try:
        yield
    finally:
        tracer.stop()
        with warnings.catch_warnings(action="ignore"):
            data = tracer.get_data()
        lines_of = {
            str(Path(file).relative_to(place)): data.lines(file) or []
            for file in data.measured_files()
        }
        lines.write_text(json.dumps(lines_of), encoding="utf-8")


def statement(source: str, line: int) -> range:
    """The lines of the innermost statement at a line; of one with a body, those above the body."""
    result = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt):
            continue
        body = getattr(node, "body", None)
        stop = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
        # Nodes come from the outside to the inside.
        if node.lineno <= line < max(stop, node.lineno + 1):
            result = range(node.lineno, max(stop, node.lineno + 1))
    return result


def is_in_function(source: str, line: int) -> bool:
    """Whether a line runs when something is called, and not when its file is imported."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        and (node.body if isinstance(node, ast.Lambda) else node.body[0]).lineno <= line
        and line <= (node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
    )
