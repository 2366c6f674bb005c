"""A damaged file of any kind is read, or refused in a line, soon and in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.damage import KINDS, LONGEST_MESSAGE
from tests.mistakes import damaged
from tests.whole_files import make

QUICK = (
    "bert/config.json",
    "bert/model.safetensors",
    "bert/tokenizer.json",
    "llama.gguf",
    "lora.safetensors",
    "peft-lora/adapter_config.json",
    "hub/adapter_config.json",
    "cells/*.json",
    "sealed comparisons/*.json",
    "experiment.yaml",
)
"""The kinds of which `make test` reads some files."""
SLOW_KINDS = {
    "optuna.db": 20,
    "mlflow.db": 20,
    "sealed cells/*.json": 20,
    "sealed trials/*/*.json": 20,
}
"""Kinds whose reading takes over a second, and how many files of each are read."""
MANY = 40
WHOLE_FILES = ["llama.gguf", "bert/config.json", "cells/*.json", "experiment.yaml"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file as it should be."""
    folder = tmp_path_factory.mktemp("whole")
    make(folder)
    return folder


def read(kinds: Sequence[str], count: int, whole: Path, work: Path) -> list[dict[str, Any]]:
    """What became of so many files of each of these kinds, read in a process of their own."""
    command = [sys.executable, "-m", "tests.damage", "0", str(count), str(whole), str(work), *kinds]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    # A reader that hangs or asks for too much may end the process: its last line has the seed.
    assert done.returncode == 0, f"{lines[-1:]} ended with {done.returncode}: {done.stderr[-2000:]}"
    return [line for line in lines if "outcome" in line]


def check(lines: Sequence[dict[str, Any]]) -> None:
    """Each file was read, or refused by a message that fits on a line or two."""
    assert [line for line in lines if line["outcome"] == "fault"] == []
    for line in lines:
        assert len(line["message"].splitlines()) <= 2, line
        assert len(line["message"]) <= LONGEST_MESSAGE, line
    refused = {line["kind"] for line in lines if line["outcome"] == "refused"}
    assert refused or not lines


def test_forty_damaged_files_end_in_one_line(whole: Path, tmp_path: Path) -> None:
    lines = read(QUICK, 4, whole, tmp_path)
    assert len(lines) == 4 * len(QUICK)
    check(lines)


@pytest.mark.slow
def test_a_thousand_damaged_files_end_in_one_line(whole: Path, tmp_path: Path) -> None:
    kinds = [name for name in KINDS if name not in SLOW_KINDS]
    lines = read(kinds, MANY, whole, tmp_path / "many")
    for name, count in SLOW_KINDS.items():
        lines += read([name], count, whole, tmp_path / name.partition("/")[0])
    assert len(lines) >= 1_000
    check(lines)


@pytest.mark.parametrize("kind", WHOLE_FILES)
def test_a_seed_makes_the_same_damage_again_and_other_seeds_make_other(kind: str) -> None:
    content = b'{"a": [1, 2], "b": {"c": "d"}}' * 3
    made = [damaged(content, KINDS[kind].file, seed) for seed in range(20)]
    assert made == [damaged(content, KINDS[kind].file, seed) for seed in range(20)]
    assert len(set(made)) > 10
    assert content not in made
