from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tunebench.analysis import analyse
from tunebench.errors import UserError
from tunebench.report import write

from tests.records import comparison

NAMES = ["results.csv", "analysis.json", "report.md", "report.html"]


def test_four_files_are_written_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    paths = write(analyse(comparison(("sst2",))), out, {})
    assert [path.name for path in paths] == NAMES
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    assert all(path.stat().st_size > 0 for path in paths)


def test_a_write_that_breaks_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [path.read_bytes() for path in write(analyse(comparison(("sst2",))), tmp_path, {})]

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        write(analyse(comparison(("stsb",))), tmp_path, {})
    assert [(tmp_path / name).read_bytes() for name in NAMES] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_a_folder_that_is_a_file_is_one_clear_message(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    with pytest.raises(UserError, match=r"cannot write into .*taken"):
        write(analyse(comparison(("sst2",))), taken, {})


def test_the_terminals_table_waits_for_neither_torch_nor_matplotlib() -> None:
    heavy = ("torch", "lightning", "mlflow", "optuna", "matplotlib", "numpy")
    code = (
        "import sys; import tunebench.report.terminal, tunebench.report.live; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
