"""Make's recipes: planned by `make -n`, and run where the programs only print their arguments."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z][a-z -]*):.*## ", TEXT, re.MULTILINE)
INPUTS = ("pyproject.toml", "constraints.txt", "weights.txt")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy whose set-up is there and whose programs print their arguments, one a line."""
    folder = tmp_path / "a clone"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("Makefile", *INPUTS):
        shutil.copy(ROOT / name, folder / name)
    for name in ("tunebench", "python", "ruff", "mypy"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@"\n')
        program.chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    (folder / ".venv" / ".ready-to-test").touch()
    return folder


def test_make_alone_lists_the_targets() -> None:
    text = make(ROOT).stdout
    assert [target for target in TARGETS if f"  {target} " not in text] == []


@pytest.mark.parametrize("target", [word for line in TARGETS for word in line.split()])
def test_every_target_can_be_planned(target: str) -> None:
    assert make(ROOT, "-n", target).returncode == 0


def test_what_make_is_told_reaches_the_program_word_by_word(clone: Path) -> None:
    settings = {
        "TASK": "./my file.tsv",
        "METHODS": "head,lora",
        "BACKBONE": "smollm2",
        "BUDGET": "quick",
        "SEEDS": "0,1",
        "DATA": 'a "b" $HOME `c`',
        "OUT": "the 'runs'",
        "EXPERIMENT": "e.yaml",
    }
    done = make(clone, "compare", *(f"{k}={v.replace('$', '$$')}" for k, v in settings.items()))
    assert done.stdout.splitlines() == [
        "tunebench",
        "compare",
        "./my file.tsv",
        "--methods=head,lora",
        "--backbone=smollm2",
        "--budget=quick",
        "--seeds=0,1",
        'a "b" $HOME `c`'.join(["--data=", ""]),
        "--out=the 'runs'",
        "--experiment=e.yaml",
    ]


def test_latency_takes_a_backbone_methods_and_a_folder(clone: Path) -> None:
    settings = ("BACKBONE=smollm2", "METHODS=lora", "OUT=my runs", "ARGS=--batch=1")
    words = ["--methods=lora", "--backbone=smollm2", "--out=my runs", "--batch=1"]
    assert make(clone, "latency", *settings).stdout.splitlines() == ["tunebench", "latency", *words]


def test_nothing_told_is_nothing_passed(clone: Path) -> None:
    assert make(clone, "compare").stdout.splitlines() == ["tunebench", "compare"]


def test_args_are_words_of_the_shell(clone: Path) -> None:
    done = make(clone, "compare", "ARGS=--search.trials=1 --methods.lora.rank='[4, 8]'")
    assert done.stdout.splitlines()[2:] == ["--search.trials=1", "--methods.lora.rank=[4, 8]"]


def test_tune_needs_a_task_and_a_method(clone: Path) -> None:
    assert "usage: make tune TASK=rte METHOD=lora" in make(clone, "tune").stderr
    done = make(clone, "tune", "TASK=rte", "METHOD=lora")
    assert done.stdout.splitlines() == ["tunebench", "tune", "rte", "--methods=lora", "--trials=20"]


def test_a_prompt_is_one_word(clone: Path) -> None:
    done = make(clone, "generate", "PROMPT=-1 is the 'capital'", "ARGS=--tokens=3")
    wanted = ["tunebench", "generate", "--tokens=3", "--", "-1 is the 'capital'"]
    assert done.stdout.splitlines() == wanted


@pytest.mark.parametrize("target", ["report", "ui", "doctor"])
def test_commands_that_look_take_the_folder(clone: Path, target: str) -> None:
    done = make(clone, target, "OUT=my runs")
    assert done.stdout.splitlines() == ["tunebench", target, "--out=my runs"]


def test_the_test_tiers_choose_by_marker(clone: Path) -> None:
    assert "not slow and not soak" in make(clone, "test").stdout.splitlines()
    assert "soak" in make(clone, "soak").stdout.splitlines()


def test_a_sample_of_slips_is_sized_and_seeded(clone: Path) -> None:
    start = ["-m", "tests.mutants"]
    done = make(clone, "mutants").stdout.splitlines()
    assert done[-4:] == [*start, "--sample=200", "--seed=0"]
    done = make(clone, "mutants", "SAMPLE=7", "SEED=3", "ARGS=--workers=1").stdout.splitlines()
    assert done[-5:] == [*start, "--sample=7", "--seed=3", "--workers=1"]


@pytest.mark.parametrize("name", INPUTS)
def test_set_up_is_done_again_when_its_inputs_change_and_only_then(clone: Path, name: str) -> None:
    assert "set-up" not in make(clone, "compare").stdout
    later = time.time() + 10
    os.utime(clone / name, (later, later))
    text = make(clone, "-n", "compare").stdout
    assert "--require-hashes --requirement weights.txt" in text
    assert "--constraint constraints.txt" in text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 1", "Python 3.11 or newer is needed"),
        (None, "name a Python 3.11 or newer: make PYTHON="),
    ],
    ids=["too old", "missing"],
)
def test_a_python_that_will_not_do_is_told_before_anything_is_made(
    clone: Path, body: str | None, message: str
) -> None:
    shutil.rmtree(clone / ".venv")
    python = clone / "python3.x"
    if body:
        python.write_text(f"#!/bin/sh\n{body}\n")
        python.chmod(0o755)
    done = make(clone, "compare", f"PYTHON={python}")
    assert done.returncode != 0
    assert message in done.stderr
    assert not (clone / ".venv").exists()


def test_clean_keeps_the_set_up_and_the_runs(clone: Path) -> None:
    (clone / "runs").mkdir()
    for name in ("src", "tests", "bench", "docs"):
        (clone / name / "__pycache__").mkdir(parents=True)
    assert make(clone, "clean").returncode == 0
    assert (clone / "runs").is_dir()
    assert (clone / ".venv").is_dir()
    assert not list(clone.rglob("__pycache__"))


def test_nothing_in_the_makefile_is_newer_than_make_3_81() -> None:
    for newer in (".ONESHELL", "!=", "$(file ", "::=", "&:", ".SHELLFLAGS"):
        assert newer not in TEXT
