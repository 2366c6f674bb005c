"""The locks and the Dockerfile against what they are made from."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("default", "cpu")
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)[^\\\n]*(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", re.M
)


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def locked(lock: str) -> dict[str, str]:
    """Each package with its version; the whole file must be such lines."""
    text = (ROOT / "locks" / f"{lock}.txt").read_text("utf-8")
    rest = PINNED.sub("", text)
    assert not rest.strip(), rest[:200]
    return {normal(name): version for name, version in PINNED.findall(text)}


def listed(lines: list[str]) -> dict[str, str]:
    pairs = [line.split(";")[0].strip().split("==") for line in lines if "==" in line]
    return {normal(name): version for name, version in pairs}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_the_versions_that_are_pinned(lock: str) -> None:
    packages = locked(lock)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = listed(project["dependencies"])
    assert {name: packages.get(name, "").partition("+")[0] for name in wanted} == wanted
    constraints = listed((ROOT / "constraints.txt").read_text("utf-8").splitlines())
    common = constraints.keys() & packages.keys()
    assert len(common) > 100
    assert {name: packages[name].partition("+")[0] for name in common} == {
        name: constraints[name] for name in common
    }


def test_one_torch_has_cuda_and_the_other_has_not() -> None:
    default, cpu = map(locked, LOCKS)
    assert (default["torch"], cpu["torch"]) == ("2.13.0", "2.13.0+cpu")
    cuda = {name for name in default if re.fullmatch("nvidia-.*(cublas|cudnn|nccl).*", name)}
    assert len(cuda) == 3
    assert not cuda & cpu.keys()


def test_the_image_is_built_from_files_that_it_is_given() -> None:
    """What .dockerignore keeps out cannot be copied, and what it lets in must be there."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    admitted = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert all((ROOT / name).exists() for name in admitted)
    text = (ROOT / "Dockerfile").read_text("utf-8")
    copied = [name for line in re.findall(r"^COPY (.*)$", text, re.M) for name in line.split()[:-1]]
    assert len(copied) == 6
    for name in copied:
        assert (ROOT / name).exists()
        assert any(fnmatch(name, one) or name.startswith(f"{one}/") for one in admitted), name
    assert "--require-hashes" in text
    user, entry = text.index("\nUSER tunebench\n"), text.index('\nENTRYPOINT ["tunebench"]\n')
    assert user < entry  # the program is not run by root
