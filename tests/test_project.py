"""The project's own files agree with each other and with what is installed."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tunebench import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DIRECT = [
    Requirement(line)
    for line in (
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["test"],
    )
]
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )
}


def test_every_folder_of_the_source_is_a_package_that_is_shipped() -> None:
    folders = {path.parent for path in (ROOT / "src").rglob("*.py")}
    names = {".".join(("tunebench", *f.relative_to(ROOT / "src").parts)) for f in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == names


def test_the_version_is_written_once_in_two_places() -> None:
    assert PROJECT["project"]["version"] == __version__


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_a_direct_requirement_is_pinned_as_the_constraints_say(requirement: Requirement) -> None:
    assert str(requirement.specifier) == f"=={PINS[canonicalize_name(requirement.name)]}"


def test_everything_that_set_up_brings_is_pinned() -> None:
    todo, seen = [(r.name, frozenset(r.extras)) for r in DIRECT], set()
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            wanted = {"", *extras}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in wanted):
                todo.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    unpinned = {canonicalize_name(name) for name, _ in seen} - set(PINS)
    # A torch for CUDA brings packages that it pins itself.
    pinned_by_torch = {name for name in unpinned if name.startswith(("nvidia-", "cuda-"))}
    assert unpinned - pinned_by_torch == set()


def test_weights_are_taken_by_hash() -> None:
    lines = (ROOT / "weights.txt").read_text("utf-8").splitlines()
    names = [line for line in lines if "==" in line]
    hashes = [line for line in lines if re.search(r"--hash=sha256:[0-9a-f]{64}$", line)]
    assert len(names) == len(hashes) == 2


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src" / "py.typed").exists()


def test_every_source_file_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "src").rglob("*.py")
        if (lines := len(path.read_text("utf-8").splitlines())) > 300
    }
    assert long == {}


def test_every_muted_warning_has_a_message_and_a_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    muted = [number for number, line in enumerate(lines) if line.startswith('    "ignore:')]
    assert len(muted) == len(PROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"]) - 1
    for number in muted:
        assert len(lines[number].removeprefix('    "ignore:').split()) > 2, lines[number]
        above = next(line for line in reversed(lines[:number]) if "ignore:" not in line)
        assert above.startswith("    # "), f"no reason above {lines[number]}"
