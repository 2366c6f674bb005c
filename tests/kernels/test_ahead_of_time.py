"""Ahead-of-time compilation: the gate's laws, and a few kernels compiled for GPUs not here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton is installed on Linux only")
ROOT = Path(__file__).parents[2]


def apart(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python without the interpreter: a kernel is either interpreted or compiled."""
    variables = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT,
        env={**variables, **environment},
    )  # fmt: skip


def gate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return apart("bench/kernels_aot.py", *arguments, **environment)


def test_the_gate_compiles_a_kernel_for_each_architecture_and_names_its_triton():
    done = gate("--only", ":queries:32", "--processes", "1")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("triton 3.7.1")
    assert [line.split()[:5] for line in lines if " queries " in line] == [
        *([arch, "queries", "32", "bf16", "cp"] for arch in ("sm_80", "sm_90", "gfx942")),
        *([arch, "queries", "32", "bf16", "cps"] for arch in ("sm_80", "sm_90")),
    ]
    assert "5 kernels in" in lines[-1]
    assert "0 broken laws" in lines[-1]


def test_the_gate_fails_where_a_loop_has_grown(tmp_path):
    kept = tmp_path / "loops.json"
    command = ("--only", "sm_80:queries:64", "--processes", "1", "--kept", str(kept))
    done = gate(*command, "--keep")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    content = json.loads(kept.read_text())
    (loops,) = content["loops"].values()
    assert set(loops) == {"plain", "prefix whole", "prefix rest", "whole", "masked"}
    loops["whole"] -= 1
    kept.write_text(json.dumps(content))
    done = gate(*command)
    assert done.returncode == 1
    (broken,) = (line for line in done.stdout.splitlines() if line.startswith("broken: "))
    assert "sm_80 queries 64, whole" in broken


SPILLING = """
import tempfile, os
os.environ["TRITON_CACHE_DIR"] = tempfile.mkdtemp()
from tunebench.kernels import ahead_of_time, launch
launch.TABLE["sm_80", "keys", 64, 16] = launch.Launch(64, 64, 4, 2)
job = ahead_of_time.Job("sm_80", "keys", 64, "bf16")
facts = ahead_of_time.compile_job(job)
(first, *_) = ahead_of_time.broken_laws(job, facts)
print(facts.spilled > 0, first.startswith("`spilled bytes == 0`"))
"""
WIDE_OFFSETS = """
import re, triton
from triton.backends.compiler import GPUTarget
from tunebench.kernels import ahead_of_time
job = ahead_of_time.Job("sm_80", "forward", 64, "bf16")
source = ahead_of_time.source(job)
made = triton.compile(source, target=ahead_of_time.TARGETS["sm_80"], options={"num_warps": 8})
print(len(re.findall(r"arith.muli .* : i64", made.asm["ttir"])))
"""


def test_a_configuration_that_spills_is_found():
    done = apart("-c", SPILLING)
    assert done.stdout.split() == ["True", "True"], done.stderr[-2000:]


def test_offsets_are_multiplied_in_64_bits(tmp_path):
    done = apart("-c", WIDE_OFFSETS, TRITON_CACHE_DIR=str(tmp_path))
    assert int(done.stdout) >= 8, done.stderr[-2000:]


LAWS = """
from dataclasses import replace
from tunebench.kernels.ahead_of_time import Facts, Job, broken_laws
good = Facts(200, 0, 50_000, matrix=64, wide_loads=8, wide_stores=8, stores=8)
job = Job("sm_80", "forward", 64, "bf16")
assert broken_laws(job, good) == []
for change, word in (({"spilled": 4}, "spilled"), ({"shared": 110_000}, "shared"),
                     ({"matrix": 0}, "matrix units")):
    (broken,) = broken_laws(job, replace(good, **change))
    assert word in broken, broken
assert broken_laws(replace(job, dtype="fp32"), replace(good, matrix=0)) == []
turn = Job("sm_90", "rotate", 128, "bf16")
assert broken_laws(turn, replace(good, matrix=0)) == []
assert "128 bits" in broken_laws(turn, replace(good, wide_stores=0))[0]
assert "128 bits" in broken_laws(turn, replace(good, stores=9))[0]
assert "128 bits" in broken_laws(turn, replace(good, wide_loads=0))[0]
print("laws hold")
"""


def test_each_law_of_the_gate_can_break():
    done = apart("-c", LAWS)
    assert done.stdout.strip() == "laws hold", done.stderr[-2000:]


def test_the_table_holds_every_row_that_can_be_chosen():
    from tunebench.kernels import launch

    wanted = {
        (arch, kernel, wide, bits)
        for arch in launch.ARCHITECTURES
        for kernel in launch.KERNELS
        for wide in launch.WIDTHS
        for bits in (16, 32)
    }
    assert set(launch.TABLE) == wanted
    assert set(launch.INTERPRETED) == set(launch.KERNELS)
    assert [launch.widen(head) for head in (8, 32, 40, 64, 80, 96, 128)] == [
        32, 32, 64, 64, 128, 128, 128,
    ]  # fmt: skip


# Numbers of a tile, for head sizes 32, 64 and 128, that are known to compile without a spill.
AREAS = {
    "forward": (128 * 64, 128 * 64, 128 * 64),
    "keys": (64 * 64, 64 * 64, 64 * 64),
    "queries": (64 * 64, 128 * 32, 64 * 64),
    "prefix": (64 * 64, 64 * 64, 32 * 64),
}


@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("kernel", AREAS)
def test_no_tile_shrinks_to_escape_a_spill(kernel, arch):
    """The keys are read once per tile of queries: a small tile spills nothing and is slow."""
    from tunebench.kernels import launch

    for wide, least in zip(launch.WIDTHS, AREAS[kernel], strict=True):
        row = launch.TABLE[arch, kernel, wide, 16]
        assert row.rows * row.columns >= least


@pytest.mark.slow
def test_the_whole_gate_holds():
    done = gate("--processes", "2")
    assert done.returncode == 0, done.stdout[-2000:]
