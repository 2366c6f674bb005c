"""What a result may not depend on: neighbours, chance, and memory around the tensors."""

from __future__ import annotations

import pytest
import torch
from tunebench import kernels

from tests.kernels.cases import Case, draw, ours
from tests.kernels.fences import Fences

pytest.importorskip("triton", reason="triton is installed on Linux only")

MIXED = Case((65, 0, 17, 1), (65, 0, 17, 1), 2, 1, 32, 10, True, None)


@pytest.mark.parametrize("window", [None, pytest.param(9, marks=pytest.mark.slow)])
def test_a_sequence_packed_with_others_equals_itself_alone_bit_for_bit(window, device):
    case = Case(MIXED.queries, MIXED.keys, 2, 1, 32, 10, True, window)
    inputs = draw(case, device)
    together = ours(inputs)
    for row, length in enumerate(case.queries):
        begin, end = int(inputs.cu_seqlens_q[row]), int(inputs.cu_seqlens_q[row + 1])
        single_inputs = draw(Case((length,), (length,), 2, 1, 32, 10, True, window), device)
        single_inputs.q, single_inputs.k, single_inputs.v = (
            x[begin:end] for x in (inputs.q, inputs.k, inputs.v)
        )
        single_inputs.prefix, single_inputs.grad = inputs.prefix, inputs.grad[begin:end]
        for packed, single in zip(together[:4], ours(single_inputs)[:4], strict=True):
            assert torch.equal(packed[begin:end], single)


def test_two_runs_give_the_same_bits(device):
    inputs = draw(MIXED, device)
    for first, second in zip(ours(inputs), ours(inputs), strict=True):
        assert torch.equal(first, second)


def test_inputs_stay_untouched(device):
    inputs = draw(MIXED, device)
    before = [x.clone() for x in (*inputs.leaves, inputs.grad, inputs.cu_seqlens_q)]
    ours(inputs)
    for then, now in zip(before, (*inputs.leaves, inputs.grad, inputs.cu_seqlens_q), strict=True):
        assert torch.equal(then, now)


@pytest.mark.parametrize("head", [pytest.param(64, marks=pytest.mark.slow), 80])
def test_nothing_around_the_tensors_is_read_or_written(head, device, monkeypatch):
    from tunebench.kernels import flash

    case = Case((65, 0, 17, 1), (40, 3, 17, 0), 2, 1, head, 10, False, 30)
    inputs = draw(case, device)
    expected = ours(inputs)
    fences = Fences()
    q, k, v, prefix_k, prefix_v = (fences.around(x) for x in inputs.leaves)
    grad = fences.around(inputs.grad)
    monkeypatch.setattr(flash, "torch", fences)
    mask = (case.causal, case.window, head**-0.5)
    cu_seqlens = (inputs.cu_seqlens_q, inputs.cu_seqlens_k)
    out, logsum = flash.forward(q, k, v, *cu_seqlens, prefix_k, prefix_v, *mask)
    saved = (grad, logsum, flash.delta(out, grad))
    dq = flash.backward_queries(q, k, v, *cu_seqlens, prefix_k, prefix_v, *saved, *mask)
    dk, dv = flash.backward_keys(q, k, v, *cu_seqlens, *saved, *mask)
    dpk, dpv = flash.backward_prefix(q, prefix_k, prefix_v, *saved, mask[-1])
    for results, wanted in zip((out, dq, dk, dv, dpk, dpv), expected, strict=True):
        assert torch.equal(results, wanted)
    assert len(fences.buffers) == 14
    assert fences.whole


@pytest.mark.parametrize("interleaved", [False, True])
def test_the_rotation_reads_and_writes_nothing_around_its_tensors(interleaved, device, monkeypatch):
    from tunebench.kernels import rotary

    fences = Fences()
    monkeypatch.setattr(rotary, "torch", fences)
    q, k = (fences.around(torch.randn(70, heads, 80, device=device)) for heads in (5, 2))
    tables = [fences.around(torch.randn(70, 24, device=device)) for _ in range(2)]
    places = torch.arange(70, device=device)
    results = rotary.launch_rotary(q, k, *tables, places, False, interleaved, False)
    truth = kernels.rotate(
        q, k, *tables, places, interleaved=interleaved, implementation="reference"
    )
    for a, b in zip(results, truth, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert fences.whole
