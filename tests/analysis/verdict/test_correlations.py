"""Correlations without each example, against deletion with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, rankdata, spearmanr
from tunebench.analysis.verdict import correlations

ORACLES = {
    "pearson": (correlations.pearson, pearsonr),
    "spearman": (correlations.spearman, spearmanr),
}


def oracle(of, x, y):
    """scipy's coefficient; 0 where either is constant."""
    constant = len(set(x)) == 1 or len(set(y)) == 1
    return 0.0 if constant else of(x, y).statistic


def deleted(of, x, y):
    return [oracle(of, np.delete(x, i), np.delete(y, i)) for i in range(len(x))]


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("seed", range(4))
def test_a_correlation_and_each_deletion_are_scipy_s(name, seed):
    ours, known = ORACLES[name]
    generator = np.random.default_rng(seed)
    x = generator.normal(size=60)
    y = x + generator.normal(size=60)
    if seed % 2:  # ties, as in the labels of STS-B
        x, y = np.round(x, 1), np.round(2 * y) / 2
    score, without = ours(x, y)
    assert score == pytest.approx(known(x, y).statistic)
    assert without == pytest.approx(deleted(known, x, y))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=12))
def test_few_values_with_many_ties_are_exact(points):
    x, y = np.array(points, dtype=float).T
    for ours, known in ORACLES.values():
        score, without = ours(x, y)
        assert score == pytest.approx(oracle(known, x, y), abs=1e-9)
        assert without == pytest.approx(deleted(known, x, y), abs=1e-9)


@pytest.mark.parametrize("name", ORACLES)
def test_values_far_from_zero_keep_their_digits(name):
    ours = ORACLES[name][0]
    generator = np.random.default_rng(5)
    x = generator.integers(0, 1000, 50).astype(float)
    y = x + generator.integers(0, 500, 50)
    far = ours(x + 2.0**40, y - 2.0**41)
    near = ours(x, y)
    assert far[0] == pytest.approx(near[0], rel=1e-12)
    assert far[1] == pytest.approx(near[1], rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e150])
def test_very_large_and_very_small_values_correlate_all_the_same(scale):
    x, y = np.random.default_rng(6).normal(size=(2, 30))
    assert correlations.pearson(x * scale, y)[1] == pytest.approx(correlations.pearson(x, y)[1])


@pytest.mark.parametrize("size", [1e3, 1e7, 1e12])
def test_without_an_outlier_the_others_correlate_as_they_do(size):
    x, y = np.random.default_rng(7).normal(size=(2, 30))
    apart = oracle(pearsonr, x[1:], y[1:])
    x[0] = y[0] = size
    assert correlations.pearson(x, y)[1][0] == pytest.approx(apart, abs=1e-6)


@pytest.mark.parametrize("of", [correlations.pearson, correlations.spearman])
def test_a_constant_correlates_with_nothing(of):
    x = np.arange(5.0)
    score, without = of(np.full(5, 0.1), x)
    assert score == 0
    assert (without == 0).all()
    # Without its only other value the first is constant.
    score, without = of(np.array([0.1, 0.1, 0.1, 0.1, 7.0]), x)
    assert score > 0
    assert without[4] == 0
    assert (without[:4] != 0).all()


@pytest.mark.parametrize("of", [correlations.pearson, correlations.spearman])
def test_a_perfect_correlation_is_one_and_no_more(of):
    for start in range(20):
        x = np.random.default_rng(start).normal(size=9)
        score, without = of(x, 3 * x + 0.1)
        assert score <= 1
        assert without.max() <= 1
        assert without == pytest.approx(np.ones(9))


def test_counting_below_is_counting():
    generator = np.random.default_rng(8)
    values = generator.integers(0, 9, 50)
    heads, bounds = generator.integers(0, 51, 200), generator.integers(0, 10, 200)
    counts = correlations.count_below(values, heads, bounds)
    queries = zip(heads, bounds, strict=True)
    assert counts.tolist() == [int((values[:head] < bound).sum()) for head, bound in queries]


def test_mid_ranks_are_scipy_s():
    x = np.random.default_rng(9).integers(0, 5, 30).astype(float)
    place, sizes = correlations.groups(x)
    assert correlations.midranks(sizes)[place].tolist() == rankdata(x).tolist()
