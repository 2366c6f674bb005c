"""Bytes moved and products made, counted exactly: what a kernel costs does not depend on a GPU."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from tunebench import kernels

from tests.kernels.cases import Case, draw, ours
from tests.kernels.traffic import counting

pytest.importorskip("triton", reason="triton is installed on Linux only")
pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="bytes are counted in the interpreter, not on a GPU"
)
CPU = torch.device("cpu")


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("half", [32, 20])
def test_rotation_moves_each_number_once(half, interleaved, monkeypatch):
    tokens, heads, groups, head = 130, 6, 2, 64
    q, k = (torch.randn(tokens, h, head) for h in (heads, groups))
    cos, sin = torch.randn(2, 200, half)
    places = torch.randint(0, 200, (tokens,), dtype=torch.int32)
    traffic = counting(monkeypatch)
    kernels.rotate(q, k, cos, sin, places, interleaved=interleaved, implementation="triton")
    least = 2 * 4 * tokens * (heads + groups) * head + 2 * 4 * tokens * half + 4 * tokens
    assert least <= traffic.total <= 1.02 * least


def test_the_prefix_is_read_where_it_lies_once_per_tile_of_queries(monkeypatch):
    case = Case((70, 30), (70, 30), 2, 1, 64, 10, True, None)
    inputs = draw(case, CPU)
    prefix_k, prefix_v = (x.detach() for x in inputs.prefix)
    shapes = []

    class Shapes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            shapes.append((str(function), tuple(getattr(made, "shape", ()))))
            return made

    from tunebench.kernels import flash

    traffic = counting(monkeypatch)
    traffic.watch(prefix_k=prefix_k, prefix_v=prefix_v)
    q, k, v = (x.detach() for x in (inputs.q, inputs.k, inputs.v))
    with Shapes():
        flash.forward(
            q, k, v, inputs.cu_seqlens_q, inputs.cu_seqlens_k, prefix_k, prefix_v, True, -1, 0.125
        )
    tiles = 2 + 1
    once = 10 * 1 * 64 * 4
    assert traffic.read["prefix_k"] == traffic.read["prefix_v"] == tiles * case.heads * once
    assert traffic.written["prefix_k"] == traffic.written["prefix_v"] == 0
    joined = case.prefix + sum(case.keys)
    assert not [shape for name, shape in shapes if "cat" in name or joined in shape]


def test_work_on_a_packed_batch_is_the_sum_of_its_sequences_work(monkeypatch):
    lengths = (70, 1, 0, 17, 1)

    def cost(*sequences: int) -> tuple[int, int, int]:
        inputs = draw(Case(sequences, sequences, 1, 1, 32, 10, True, None), CPU)
        with pytest.MonkeyPatch.context() as patch:
            traffic = counting(patch)
            traffic.watch(cu_seqlens=inputs.cu_seqlens_q, prefix=inputs.prefix[0])
            ours(inputs)
        moved = traffic.total - traffic.read["cu_seqlens"]
        return traffic.products, moved, traffic.programs

    together = cost(*lengths)
    separate = [cost(length) for length in lengths if length]
    # The prefix gradient sees one row of queries, so packing saves some of its tiles.
    assert together[0] <= sum(products for products, _, _ in separate)
    assert together[1] <= sum(moved for _, moved, _ in separate)
    padded = cost(*[max(lengths)] * len(lengths))
    assert together[0] <= padded[0] / 1.5
    assert together[1] <= padded[1] / 2


def test_a_window_bounds_the_work(monkeypatch):
    products = []
    for window in (None, 20):
        inputs = draw(Case((200,), (200,), 1, 1, 32, 0, True, window), CPU)
        with pytest.MonkeyPatch.context() as patch:
            traffic = counting(patch)
            ours(inputs)
        products.append(traffic.products)
    assert products[1] < 0.65 * products[0]


def test_only_the_gradients_that_are_asked_for_are_computed(monkeypatch):
    from tunebench.kernels import flash

    calls = []
    for name in ("backward_queries", "backward_keys", "backward_prefix"):
        inner = getattr(flash, name)
        monkeypatch.setattr(
            flash, name, lambda *a, name=name, inner=inner: calls.append(name) or inner(*a)
        )
    inputs = draw(Case((17,), (17,), 1, 1, 32, 3, False, None), CPU)
    q, k, v = (x.detach() for x in (inputs.q, inputs.k, inputs.v))
    out = kernels.attention(
        q, k, v, cu_seqlens_q=inputs.cu_seqlens_q, cu_seqlens_k=inputs.cu_seqlens_k, causal=False,
        prefix_k=inputs.prefix[0], prefix_v=inputs.prefix[1], implementation="triton",
    )  # fmt: skip
    torch.autograd.grad(out, inputs.prefix, inputs.grad)
    assert calls == ["backward_prefix"]
