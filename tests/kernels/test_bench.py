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
    given = points.draw(point, torch.device("cpu"), torch.float32)
    packed = points.ours(point, given)()
    padded = points.sdpa(point, given, SDPBackend.MATH)()
    assert torch.allclose(padded.transpose(1, 2)[given.exists], packed, atol=1e-5)
    flexible = points.flex(point, given, by_mask)()
    assert torch.allclose(flexible.transpose(1, 2)[given.exists], packed, atol=1e-5)


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
    padded = points.Point(rows=32, length=512, heads=1, head=64, causal=True, padding=0.25)
    assert sum(padded.lengths) / (32 * 512) == pytest.approx(0.75, abs=0.01)


def test_a_restless_timing_is_not_divided(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    bench = import_module("bench_kernels")
    calm, restless = [2.0, 1.98, 2.02], [3.0, 2.5, 3.5]
    row = {"times": {"ours": {"forward": calm}, "flex": {"forward": restless}}}
    assert bench.ratio(row, "flex", "forward") == "restless"
    row["times"]["flex"]["forward"] = [3.0, 3.0, 3.0]
    assert bench.ratio(row, "flex", "forward") == "1.50"
    assert bench.ratio(row, "varlen", "forward") == "–"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU to time")
def test_without_a_gpu_the_benchmark_says_so_and_ends_well():
    done = subprocess.run(
        [sys.executable, BENCH / "bench_kernels.py"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "no GPU here, so nothing was timed" in done.stdout
