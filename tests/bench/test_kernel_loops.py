"""The judgement of main loops: bars, kept figures, and figures that are not comparable."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from tunebench.kernels.machine_code import Loop

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def kernel_loops(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module("kernel_loops")


def job(**changes):
    """What of a job is looked at."""
    usual = {
        "arch": "sm_90", "kernel": "keys", "head": 64, "dtype": "bf16", "causal": True,
        "prefix": True, "window": False, "short": False, "main_loops": ("masked", "whole"),
    }  # fmt: skip
    return SimpleNamespace(**{**usual, **changes})


def facts(*loops):
    return SimpleNamespace(loops=tuple(Loop(*loop) for loop in loops), spilled=0)


def test_each_loop_is_set_beside_the_plain_one(kernel_loops):
    masked, whole = kernel_loops.compare(job(), facts((150, 8), (105, 8)), facts((100, 8)))
    assert (masked.loop, masked.ratio, masked.bar) == ("masked", 1.5, None)
    assert (whole.loop, whole.ratio, whole.bar) == ("whole", 1.05, 1.1)
    assert kernel_loops.figures([masked, whole]) == {
        "sm_90 keys 64": {"plain": 100, "masked": 150, "whole": 105}
    }


def test_a_loop_above_its_bar_and_one_that_grew_are_broken_laws(kernel_loops):
    kept = {"sm_90 forward 64": {"plain": 100, "whole": 103, "masked": 150}}

    def rules(loop, instructions):
        return list(
            kernel_loops.Compared("forward", "sm_90 forward 64", loop, instructions, 100, 0).broken(
                kept
            )
        )

    assert rules("whole", 103) == rules("masked", 150) == rules("whole", 90) == []
    above, grown = rules("whole", 104)
    assert "1.03" in above
    assert "kept figure" in grown
    (grown,) = rules("masked", 151)
    assert "150" in grown
    (missing,) = rules("prefix rest", 100)
    assert "--keep" in missing


def test_loops_that_do_other_work_are_not_compared(kernel_loops):
    with pytest.raises(ValueError, match="expected"):
        kernel_loops.compare(job(), facts((105, 8)), facts((100, 8)))
    with pytest.raises(ValueError, match="other products"):
        kernel_loops.compare(job(), facts((150, 8), (205, 16)), facts((100, 8)))


@pytest.mark.parametrize(
    "change",
    [
        {"arch": "gfx942"}, {"kernel": "decode"}, {"head": 32}, {"dtype": "fp16"},
        {"causal": False}, {"prefix": False}, {"window": True}, {"short": True},
    ],
    ids=str,
)  # fmt: skip
def test_one_row_of_each_kernel_is_compared(change, kernel_loops):
    assert kernel_loops.is_compared(job())
    assert not kernel_loops.is_compared(job(**change))


def test_figures_of_another_compiler_do_not_count_and_others_stay(tmp_path, kernel_loops):
    file = tmp_path / "loops.json"
    assert kernel_loops.read(file, "3") == {}
    kernel_loops.keep(
        file, "3", [kernel_loops.Compared("keys", "sm_90 keys 64", "whole", 105, 100, 0)]
    )
    kernel_loops.keep(
        file, "3", [kernel_loops.Compared("keys", "sm_80 keys 64", "whole", 99, 100, 0)]
    )
    kept = kernel_loops.read(file, "3")
    assert kept["sm_90 keys 64"] == {"plain": 100, "whole": 105}
    assert kept["sm_80 keys 64"] == {"plain": 100, "whole": 99}
    assert kernel_loops.read(file, "4") == {}


def test_the_kept_figures_are_of_the_gates_compiler_and_meet_the_bars(kernel_loops):
    kept = kernel_loops.read(kernel_loops.KEPT, import_module("kernels_aot").TRITON)
    assert sorted(kept) == sorted(
        f"{arch} {kernel} {head}"
        for arch in ("sm_80", "sm_90")
        for kernel in kernel_loops.KERNELS
        for head in kernel_loops.HEADS
    )
    for name, loops in kept.items():
        kernel = name.split()[1]
        for loop in loops.keys() & set(kernel_loops.WITHOUT_MASKS):
            assert loops[loop] <= kernel_loops.BARS[kernel] * loops["plain"], name
