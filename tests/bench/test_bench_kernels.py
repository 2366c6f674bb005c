"""The benchmark compares like with like, and says nothing where there is no GPU."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def points(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return import_module("attention_points")


SHAPES = [
    {"causal": True},
    {"causal": False},
    {"causal": True, "prefix": 5},
    {"causal": False, "prefix": 5},
    {"causal": True, "padding": 0.25},
    {"causal": False, "padding": 0.5, "prefix": 3},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_rival_computes_what_we_compute(points, shape):
    point = points.Point(rows=3, length=12, heads=2, head=32, **shape)
    tensors = points.draw(point, torch.device("cpu"), torch.float32)
    packed = points.ours(point, tensors)()
    padded = points.sdpa(point, tensors, SDPBackend.MATH)()
    assert torch.allclose(padded.transpose(1, 2)[tensors.exists], packed, atol=1e-5)
    flexible = points.flex(point, tensors, by_mask)()
    assert torch.allclose(flexible.transpose(1, 2)[tensors.exists], packed, atol=1e-5)


def by_mask(q, k, v, block_mask):
    """What FlexAttention computes, from its mask alone: uncompiled it would only warn."""
    sides = (torch.arange(n) for n in (q.shape[0], q.shape[2], k.shape[2]))
    row, i, j = torch.meshgrid(*sides, indexing="ij")
    seen = block_mask.mask_mod(row, torch.zeros_like(row), i, j)[:, None]
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)


def test_operations_count_the_scores_that_exist(points):
    full = points.Point(rows=2, length=8, heads=3, head=64, causal=False, prefix=5)
    assert full.operations == 4 * 2 * 8 * (8 + 5) * 3 * 64
    causal = points.Point(rows=2, length=8, heads=3, head=64, causal=True)
    assert causal.operations == 0.5 * 4 * 2 * 8 * 8 * 3 * 64
    for padding, tolerance in ((0.25, 0.01), (0.5, 0.01), (0.75, 0.03)):
        padded = points.Point(rows=32, length=512, heads=1, head=64, causal=True, padding=padding)
        assert sum(padded.lengths) / (32 * 512) == pytest.approx(1 - padding, abs=tolerance)
        assert max(padded.lengths) == 512


def test_a_restless_timing_is_not_divided(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    bench = import_module("bench_kernels")
    calm, restless = [2.0, 1.98, 2.02], [3.0, 2.5, 3.5]
    times = {"ours": {"forward": calm}, "flex": {"forward": restless}}
    row = {"title": "a point", "operations": 1e9, "times": times}
    assert "| a point | forward | 0 | – | – | – | – | restless | – |" in bench.table([row])
    times["flex"]["forward"] = [3.0, 3.0, 3.0]
    assert "| a point | forward | 0 | – | – | – | – | 1.50 | – |" in bench.table([row])


def test_a_restless_timing_is_not_drawn(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCH))
    plots = import_module("bench_plots")
    calm, restless = [2.0, 2.0, 2.0], [2.0, 1.0, 3.0]
    drawn = []
    axes = import_module("matplotlib.axes").Axes
    inner = axes.plot
    monkeypatch.setattr(
        axes, "plot", lambda panel, *xy, **named: drawn.append(xy) or inner(panel, *xy, **named)
    )
    rows = [
        {"title": name, "times": {"ours": dict.fromkeys(("forward", "backward"), timing)} | rival}
        for name, timing in (("calm", calm), ("restless", restless))
        for rival in ({"flex": {"forward": [3.0, 3.0, 3.0], "backward": restless}},)
    ]
    plots.plot(rows, tmp_path / "kernels.svg")
    assert drawn == [([0], [1.5]), ([], [])]


def test_the_rotations_table_divides_by_a_copy_of_the_same_bytes(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    rotation = import_module("rotation_points")
    times = {"ours": [2.0, 2.0, 2.0], "copy": [1.8, 1.8, 1.8], "plain": [9.0, 9.0, 9.0]}
    row = {"size": [32768, 32, 8, 64], "bytes": 2e9, "times": times}
    assert "| 32,768, 32, 8, 64 | 1,000 | 0.90 | 4.50 |" in rotation.rotation_table([row])


def test_the_rotation_is_checked_before_it_is_timed(monkeypatch):
    pytest.importorskip("triton", reason="triton is installed on Linux only")
    monkeypatch.syspath_prepend(str(BENCH))
    rotation = import_module("rotation_points")
    inner = rotation.kernels.rotate

    def wrong(q, *tensors, implementation, **named):
        rotated = inner(q, *tensors, implementation="reference", **named)
        return [x + (0.1 if q.dtype == torch.bfloat16 else 0.0) for x in rotated]

    plain = lambda *tensors, implementation: inner(*tensors, implementation="reference")  # noqa: E731
    monkeypatch.setattr(rotation.kernels, "rotate", plain)
    rotation.check_rotation(torch.device("cpu"))
    monkeypatch.setattr(rotation.kernels, "rotate", wrong)
    with pytest.raises(SystemExit, match="nothing timed"):
        rotation.check_rotation(torch.device("cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to time")
def test_without_a_gpu_the_benchmark_says_so_and_ends_well():
    done = subprocess.run(
        [sys.executable, BENCH / "bench_kernels.py"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no GPU here, so nothing was timed" in done.stdout
