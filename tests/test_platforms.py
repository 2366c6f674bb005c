"""Calls that only Linux has: each has another way out, and there are no others."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from tunebench.study.prepare_run import usable_cores

ROOT = Path(__file__).parent.parent / "src"
LINUX_ONLY = {
    *("sched_getaffinity", "sched_setaffinity", "posix_fadvise", "posix_fallocate", "sendfile"),
    *("memfd_create", "pidfd_open", "eventfd", "getrandom", "copy_file_range", "splice", "setns"),
    *("fdatasync", "O_TMPFILE", "O_DIRECT", "O_NOATIME", "getxattr", "setxattr", "listxattr"),
}
"""Names in `os` that macOS lacks."""


def test_without_affinity_all_cores_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
        assert usable_cores() == 3
        monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_only_calls_with_a_way_out_are_linux_s_own() -> None:
    used = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr=name) if name in LINUX_ONLY:
                    used.add((path.relative_to(ROOT).as_posix(), name))
    assert used == {("study/prepare_run.py", "sched_getaffinity")}
