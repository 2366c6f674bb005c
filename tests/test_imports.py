"""Who may import whom: a room knows the rooms below it, and a dependency lives in one room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src"
FILES = sorted(path for path in ROOT.rglob("*.py"))
PAGE = ROOT.parent / "docs" / "architecture.md"


def table_of_rooms() -> dict[str, set[str]]:
    """Every room and what it may import, from lower to higher, as docs/architecture.md says.

    "The base" stands for the rooms before the first row that names it or a folder.
    """
    section = PAGE.read_text("utf-8").split("\n## The rooms\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]+) \|$", section, re.MULTILINE)
    base = {name for name, _ in rows if (ROOT / f"{name}.py").exists()}
    return {
        name: set(re.findall(r"`(\w+)`", allowed)) | (base if "the base" in allowed else set())
        for name, allowed in rows
    }


BELOW = table_of_rooms()
HOMES = {
    "optuna": {"study"},
    "mlflow": {"tracking"},
    "triton": {"kernels"},
    "matplotlib": {"report"},
    "ray": {"study"},
}
LIGHT = {"analysis", "cli", "config", "errors", "progress", "records", "report", "text"}
HEAVY = {"torch", "lightning"}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Each import as (package of others or "", room or module): relative ones are resolved."""
    here = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0], node.module or ""
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level + 1]
            named = tuple((node.module or "").split(".")) if node.module else ()
            targets = [(*above, *named)] if named else [(*above, a.name) for a in node.names]
            yield from (("", ".".join(target)) for target in targets)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_below(path: Path) -> None:
    if room(path) in ("__init__", "__main__"):
        return
    allowed = BELOW[room(path)] | {room(path)}
    used = {module.partition(".")[0] for package, module in imported(path) if not package}
    used -= {"__version__"}
    assert used <= allowed, f"{room(path)} may import {sorted(allowed)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_dependency_lives_in_its_room(path: Path) -> None:
    packages = {package for package, _ in imported(path) if package}
    for package, homes in HOMES.items():
        assert package not in packages or room(path) in homes
    if room(path) in LIGHT:
        assert not packages & HEAVY
    assert "tunebench" not in packages, "inside the package imports are relative"
    assert not packages & {"pickle", "marshal", "shelve"}


def test_methods_never_import_each_other() -> None:
    methods = {path.stem for path in (ROOT / "methods").glob("*.py")}
    single = {name for name in methods if not name.startswith("_") and name != "base"}
    for name in single:
        used = {
            module.split(".")[1]
            for package, module in imported(ROOT / "methods" / f"{name}.py")
            if not package and module.startswith("methods.")
        }
        assert not used & single


def test_nothing_is_run_from_text() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                assert name not in ("eval", "exec"), path
                assert not any(k.arg == "shell" for k in node.keywords), path


def test_every_room_has_its_place_and_every_place_its_room() -> None:
    assert {room(path) for path in FILES} == set(BELOW) | {"__init__", "__main__"}


def test_a_room_may_import_no_more_than_it_does() -> None:
    """What the table allows and nobody uses is a dependency that a reader looks for in vain."""
    base = {name for name in BELOW if (ROOT / f"{name}.py").exists()}
    used: dict[str, set[str]] = {name: set() for name in BELOW}
    for path in FILES:
        modules = {module for package, module in imported(path) if not package}
        used.setdefault(room(path), set()).update(module.partition(".")[0] for module in modules)
    unused = {name: allowed - used[name] - base for name, allowed in BELOW.items()}
    assert {name: rooms for name, rooms in unused.items() if rooms} == {}


def test_there_is_no_circle_and_a_room_stands_below_those_that_import_it() -> None:
    lower: set[str] = set()
    for name, allowed in BELOW.items():
        assert allowed <= lower, f"{name} imports from rooms that stand below it in the table"
        lower.add(name)
