from __future__ import annotations

import pytest
import torch
from tunebench import kernels
from tunebench.kernels import by_length

from tests.kernels.cases import CASES, FAST, Case, draw, errors, exact, ours, results

pytest.importorskip("triton", reason="triton is installed on Linux only")

GRID = [
    pytest.param(case, marks=[pytest.mark.slow] if number >= FAST else [], id=f"{number}-{case}")
    for number, case in enumerate(CASES)
]
HALF = [
    Case((64, 37, 5), (64, 37, 5), 4, 2, 64, 10, True, None),
    Case((17, 65), (17, 65), 2, 1, 128, 1, False, None),
    Case((33, 7), (60, 40), 2, 2, 32, 0, True, 20),
]
LONG = Case((150,), (150,), 2, 1, 32, 10, True, None)


@pytest.mark.parametrize("case", GRID)
def test_outputs_and_every_gradient_equal_the_specification(case, device):
    inputs = draw(case, device)
    for name, error in errors(ours(inputs), exact(inputs)).items():
        assert error <= 2e-6, f"{name}: {error:.1e}"


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 100], ids=["causal", "window"])
def test_tiles_without_a_mask_equal_the_specification(window, device):
    case = Case((512, 40), (512, 40), 2, 1, 64, 10, True, window)
    inputs = draw(case, device)
    for name, error in errors(ours(inputs), exact(inputs)).items():
        assert error <= 2e-6, f"{name}: {error:.1e}"


def test_the_prefix_gradient_adds_up_over_several_chunks(device, monkeypatch):
    from tunebench.kernels import flash

    inputs = draw(LONG, device)
    whole = ours(inputs)
    monkeypatch.setattr(flash, "PREFIX_CHUNK", 64)
    chunks = ours(inputs)
    assert flash.prefix_chunk(150, 64) == 64
    for name, error in errors(chunks, exact(inputs)).items():
        assert error <= 2e-6, f"{name}: {error:.1e}"
    assert torch.equal(chunks[2], whole[2])
    assert not torch.equal(chunks[4], whole[4])


@pytest.mark.parametrize("case", HALF, ids=str)
def test_fp16_errs_at_most_twice_as_much_as_torch(case, device):
    inputs = draw(case, device, torch.float16)
    truth = exact(inputs)
    ours_by_name = errors(ours(inputs), truth)
    torchs = errors(results(kernels.attention, inputs, implementation="sdpa"), truth)
    for name, error in ours_by_name.items():
        assert error <= 1e-3, f"{name}: {error:.1e}"
        assert error <= 2 * torchs[name], f"{name}: {error:.1e}, torch {torchs[name]:.1e}"


@pytest.mark.parametrize("case", HALF, ids=str)
def test_numbers_that_bf16_can_hold_equal_the_specification_in_fp32(case, device):
    inputs = draw(case, device, torch.bfloat16).to(torch.float32)
    for name, error in errors(ours(inputs), exact(inputs)).items():
        assert error <= 2e-6, f"{name}: {error:.1e}"


@pytest.mark.parametrize("max_seqlen", [64, 65])
@pytest.mark.parametrize("causal", [False, True])
def test_the_rows_for_short_sequences_give_the_same(causal, max_seqlen, device, monkeypatch):
    """The host's word for the longest sequence chooses the tiles, and nothing else."""
    from tunebench.kernels import flash

    chosen = []
    choose = flash.choose
    monkeypatch.setattr(flash, "choose", lambda *a: chosen.append(a[4:]) or choose(*a))
    inputs = draw(Case((64, 0, 14), (64, 3, 14), 2, 1, 32, 35, causal, None), device)
    options = {"max_seqlen_q": max_seqlen, "max_seqlen_k": max_seqlen}
    computed = results(kernels.attention, inputs, implementation="triton", **options)
    for name, error in errors(computed, exact(inputs)).items():
        assert error <= 2e-6, f"{name}: {error:.1e}"
    assert set(chosen) == {(max_seqlen == 64,), ()}


def test_keys_and_values_may_lie_differently(device):
    """Kernels read both by the strides of the keys: where these differ, both are copied."""
    inputs = draw(Case((20,), (20,), 2, 2, 32, 3, True, None), device)
    apart = inputs.to(torch.float32)
    apart.v = inputs.v.detach().transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    assert apart.k.stride() != apart.v.stride()
    for name, error in errors(ours(apart), exact(inputs)).items():
        assert error <= 2e-6, f"{name}: {error:.1e}"


def test_large_scores_lose_little(device):
    inputs = draw(Case((0, 1, 37), (0, 1, 37), 2, 2, 64, 5, True, None), device, loud=30.0)
    for name, error in errors(ours(inputs), exact(inputs)).items():
        assert error <= 3e-5, f"{name}: {error:.1e}"


def test_where_each_query_sees_one_key_the_rest_is_rounding(device):
    """There the score's gradient is do·v - delta, the difference of two equal numbers of size e."""
    inputs = draw(Case((40, 3), (40, 3), 2, 1, 128, 0, False, 0), device)
    results = errors(ours(inputs), exact(inputs))
    assert results["out"] == 0
    assert results["dv"] <= 2e-6
    assert max(results["dq"], results["dk"]) <= 1e-5


def test_another_scale_equals_the_specification(device):
    results, truth, _ = _scaled(0.05, device)
    assert max(errors(results, truth).values()) <= 2e-6


def test_a_scale_above_the_usual_errs_at_most_twice_as_much_as_torch(device, monkeypatch):
    """The backward pass multiplies k by q where the forward one multiplied q by k.

    fp32 adds the two in another order here, and the scale is a factor of the difference, which no
    longer cancels where one key has nearly all the weight: with scores of the same bits on both
    sides every gradient meets 2e-6 at this scale too, but turning a tile of scores costs a GPU a
    trip through shared memory.
    """
    # By torch's own attention: the products that stand in for it here are nearer to the truth.
    monkeypatch.setattr(by_length, "suit_products", lambda *_: False)
    results, truth, torchs = _scaled(0.37, device)
    peer = max(errors(torchs, truth).values())
    assert max(errors(results, truth).values()) <= 2 * peer <= 1e-5


def _scaled(scale, device):
    """Our results, the specification's in float64, and those of torch."""
    inputs = draw(HALF[0], device)
    double = inputs.to(torch.float64)
    ours, torchs = (
        results(kernels.attention, inputs, implementation=name, scale=scale)
        for name in ("triton", "sdpa")
    )
    truth = results(kernels.attention, double, implementation="reference", scale=scale)
    return ours, truth, torchs


@pytest.mark.parametrize("causal", [True, False])
def test_a_dense_batch_is_the_packed_one_of_equal_lengths(causal, device):
    q, k, v = torch.randn(3, 2, 20, 2, 32, device=device)
    cu_seqlens = torch.arange(0, 41, 20, dtype=torch.int32, device=device)
    packed = kernels.attention(
        *(x.flatten(0, 1) for x in (q, k, v)),
        cu_seqlens_q=cu_seqlens,
        cu_seqlens_k=cu_seqlens,
        causal=causal,
        max_seqlen_q=20,
        max_seqlen_k=20,
        implementation="triton",
    )
    dense = kernels.attention_dense(q, k, v, causal=causal, implementation="triton")
    assert torch.equal(dense, packed.view(2, 20, 2, 32))
    truth = kernels.attention_dense(
        *(x.double() for x in (q, k, v)), causal=causal, implementation="reference"
    )
    assert (dense.double() - truth).abs().max() <= 2e-6


def test_a_query_that_sees_no_key_gives_zero_and_sends_nothing_back(device):
    inputs = draw(Case((20, 3), (5, 0), 2, 2, 32, 0, True, None), device)
    out, dq, *_ = ours(inputs)
    assert not out[:15].any()
    assert not out[20:].any()
    assert not dq[:15].any()
    assert not dq[20:].any()
    assert out[15:20].any()
