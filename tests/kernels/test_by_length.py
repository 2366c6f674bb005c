"""Packed attention on a CPU by lengths: every form equals the specification, gradients too."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tunebench import kernels
from tunebench.kernels import by_length, products, sdpa

from tests.kernels.cases import CASES, Case, cumulate, draw, errors, exact, results

CPU = torch.device("cpu")
MIXED = Case((65, 0, 17, 1, 17, 40), (65, 0, 17, 1, 17, 40), 4, 2, 32, 10, False, None)
FORMS = {"products": (10_000, 10_000), "one by one": (0, 0)}
TOLERANCE = 4e-6


@pytest.fixture(params=sorted(FORMS))
def form(request, monkeypatch):
    """One form for all lengths that it can take."""
    short, equal = FORMS[request.param]
    monkeypatch.setattr(by_length, "SHORT", short)
    monkeypatch.setattr(by_length, "SHORT_EQUAL", equal)
    monkeypatch.setattr(by_length, "MANY", 1)
    return request.param


def taken(inputs, **options):
    return results(kernels.attention, inputs, implementation="sdpa", **options)


def test_outputs_and_every_gradient_equal_the_specification(form):
    wrong = {}
    for case in CASES:
        inputs = draw(case, CPU)
        taken_errors = errors(taken(inputs), exact(inputs))
        wrong |= {
            str(case): taken_errors for error in taken_errors.values() if not error <= TOLERANCE
        }
    assert wrong == {}


@pytest.mark.parametrize("window", [None, 0, 9])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("prefix", [0, 3])
def test_what_is_chosen_equals_padding_all_to_the_longest(causal, window, prefix):
    inputs = draw(replace(MIXED, causal=causal, window=window, prefix=prefix), CPU, torch.float64)
    max_seqlen = max(inputs.case.queries)
    padded = results(sdpa.padded, inputs, max_seqlen_q=max_seqlen, max_seqlen_k=max_seqlen)
    for name, error in errors(taken(inputs), padded).items():
        assert error <= 1e-13, name


@pytest.mark.parametrize(
    ("lengths", "prefix", "expected"),
    [
        ((30, 7, 30), 0, True),
        ((128, 7), 0, True),
        ((129, 7), 0, False),
        ((120, 7), 9, False),
        ((24,) * 8, 0, True),
        ((14,) * 7, 0, False),
        ((25,) * 8, 0, False),
        ((20,) * 8, 5, False),
    ],
    ids=str,
)
def test_lengths_decide_which_form_runs(monkeypatch, lengths, prefix, expected):
    calls = []
    monkeypatch.setattr(products.Products, "apply", lambda *_: calls.append(1) or torch.ones(()))
    taken_by = draw(Case(lengths, lengths, 2, 1, 16, prefix, False, None), CPU)
    prefix_k, prefix_v = taken_by.prefix or (None, None)
    kernels.attention(
        taken_by.q, taken_by.k, taken_by.v, cu_seqlens_q=taken_by.cu_seqlens_q,
        cu_seqlens_k=taken_by.cu_seqlens_k, causal=False, prefix_k=prefix_k, prefix_v=prefix_v,
        implementation="sdpa",
    )  # fmt: skip
    assert bool(calls) == expected


def test_neighbours_of_equal_length_are_one_group_and_empty_ones_none():
    starts = [0, 3, 6, 6, 9, 10]
    expected = [by_length.Group(2, 3, 3), by_length.Group(1, 3, 3), by_length.Group(1, 1, 1)]
    assert by_length.neighbours(starts, starts) == expected
    assert by_length.neighbours([0, 0, 2], [0, 4, 6]) == [
        by_length.Group(1, 0, 4),
        by_length.Group(1, 2, 2),
    ]


def test_a_query_that_sees_no_key_gives_zero_beside_others_that_see_some():
    inputs = draw(Case((9, 5, 3), (4, 0, 3), 2, 1, 16, 0, True, None), CPU)
    for name, error in errors(taken(inputs), exact(inputs)).items():
        assert error <= TOLERANCE, name
    assert not taken(inputs)[0][:5].any()


def test_a_sequence_sees_nothing_of_its_neighbours(form):
    inputs = draw(MIXED, CPU)
    clean = taken(inputs)
    spoilt = inputs.to(torch.float32)
    begin, end = (int(inputs.cu_seqlens_q[row]) for row in (2, 3))
    with torch.no_grad():
        for x in (spoilt.q, spoilt.k, spoilt.v):
            x[begin:end] = torch.nan
    results_beside = taken(spoilt)
    others = torch.ones(len(inputs.q), dtype=torch.bool)
    others[begin:end] = False
    for ours, before in zip(results_beside[:4], clean[:4], strict=True):
        assert torch.equal(ours[others], before[others])


def test_two_runs_give_the_same_bits(form):
    inputs = draw(MIXED, CPU)
    for first, second in zip(taken(inputs), taken(inputs), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("trained", [(0,), (1,), (2,), (3,), (4,), (0, 3), (2, 4)], ids=str)
def test_only_what_trains_gets_a_gradient(form, trained):
    inputs = draw(MIXED, CPU)
    whole = taken(inputs)[1:]
    leaves = [x.detach().clone() for x in inputs.leaves]
    for number in trained:
        leaves[number].requires_grad_()
    q, k, v, prefix_k, prefix_v = leaves
    out = kernels.attention(
        q, k, v, cu_seqlens_q=inputs.cu_seqlens_q, cu_seqlens_k=inputs.cu_seqlens_k,
        causal=False, prefix_k=prefix_k, prefix_v=prefix_v, implementation="sdpa",
    )  # fmt: skip
    out.backward(inputs.grad)
    for number, x in enumerate(leaves):
        if number in trained:
            assert torch.allclose(x.grad, whole[number], atol=1e-6)
        else:
            assert x.grad is None


def test_a_plan_made_where_nothing_is_learned_serves_training():
    products.plan.cache_clear()
    inputs = draw(MIXED, CPU)
    with torch.inference_mode():
        frozen = inputs.to(torch.float32)
        kernels.attention(
            frozen.q, frozen.k, frozen.v, cu_seqlens_q=inputs.cu_seqlens_q,
            cu_seqlens_k=inputs.cu_seqlens_k, causal=False, prefix_k=frozen.prefix[0],
            prefix_v=frozen.prefix[1], implementation="sdpa",
        )  # fmt: skip
    for name, error in errors(taken(inputs), exact(inputs)).items():
        assert error <= TOLERANCE, name
    assert products.plan.cache_info().misses == 1


def test_a_batch_of_products_is_cut_where_its_scores_leave_the_cache(monkeypatch):
    case = Case((17,) * 7 + (3,), (17,) * 7 + (3,), 4, 2, 32, 10, True, None)
    shape = products.Shape(4, 2, 10, products.Mask(True, None), torch.float32)
    inputs = draw(case, CPU)
    whole = taken(inputs)
    monkeypatch.setattr(products, "SCORES", 2 * 4 * 32 * 32)
    products.plan.cache_clear()
    assert [b.batch for b in products.plan(case.queries, shape).buckets] == [2, 4, 4, 4, 2]
    for name, error in errors(taken(inputs), tuple(x.double() for x in whole)).items():
        assert error <= TOLERANCE, name
    products.plan.cache_clear()


def test_half_precision_and_a_graph_take_torchs_attention(monkeypatch):
    monkeypatch.setattr(products.Products, "apply", None)
    inputs = draw(MIXED, CPU, torch.bfloat16)
    for name, error in errors(taken(inputs), exact(inputs)).items():
        assert error <= 3e-2, name
    mixed = draw(MIXED, CPU)
    mixed.k, mixed.prefix = mixed.k.bfloat16(), tuple(x.bfloat16() for x in mixed.prefix)
    with torch.autocast("cpu", torch.bfloat16):
        for name, error in errors(taken(mixed), exact(mixed)).items():
            assert error <= 5e-2, name
        taken(draw(MIXED, CPU))
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    inputs = draw(MIXED, CPU)
    for name, error in errors(taken(inputs), exact(inputs)).items():
        assert error <= TOLERANCE, name


def test_no_token_gives_no_output(form):
    empty = torch.zeros(0, 2, 16)
    borders = cumulate((0, 0), CPU)
    out = kernels.attention(
        empty, empty, empty, cu_seqlens_q=borders, cu_seqlens_k=borders, causal=False,
        implementation="sdpa",
    )  # fmt: skip
    assert out.shape == empty.shape
