"""Mean squares, errors and tests against statsmodels, scipy, McNemar and the bootstrap."""

from __future__ import annotations

import warnings
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_1samp
from statsmodels.formula.api import mixedlm, ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint
from tunebench.analysis.verdict.crossed import (
    components,
    crossed,
    expected,
    least_error,
    mean_squares,
    parts_of,
)


def drawn(
    seeds: int = 5, examples: int = 40, of_seeds: float = 0.5, of_examples: float = 1.0, start=0
):
    """Differences with these standard deviations and a rest of 1."""
    generator = np.random.default_rng(start)
    return (
        of_seeds * generator.normal(size=(seeds, 1))
        + of_examples * generator.normal(size=(1, examples))
        + generator.normal(size=(seeds, examples))
    )


def table_of(d):
    seed, example = np.indices(d.shape)
    return pd.DataFrame(
        {"d": d.ravel(), "seed": seed.ravel(), "example": example.ravel(), "one": 1}
    )


def test_mean_squares_are_those_of_an_analysis_of_variance():
    d = drawn(4, 12)
    table = anova_lm(ols("d ~ C(seed) + C(example)", table_of(d)).fit())
    assert list(mean_squares(d)) == pytest.approx(table["mean_sq"].tolist())


def test_mean_squares_of_many_studies_are_those_of_each():
    d = np.stack([drawn(start=start) for start in range(6)]).reshape(2, 3, 5, 40)
    many = mean_squares(d)
    one = mean_squares(d[1, 2])
    assert [part[1, 2] for part in many] == pytest.approx(list(one))


def test_components_are_those_of_a_mixed_model():
    """On balanced data REML is the analysis of variance, where no component is negative."""
    d = drawn(6, 15)
    parts = crossed(d).components
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer's remarks on its way
        fit = mixedlm(
            "d ~ 1",
            table_of(d),
            groups="one",
            re_formula="0",
            vc_formula={"example": "0 + C(example)", "seed": "0 + C(seed)"},
        ).fit()
    example, seed = fit.vcomp
    assert (parts.seeds, parts.examples) == pytest.approx((seed, example), rel=0.02)
    assert parts.rest == pytest.approx(fit.scale, rel=0.02)
    assert crossed(d).standard_error == pytest.approx(fit.bse_fe.iloc[0], rel=0.02)


def test_components_are_never_negative():
    d = np.array([[1.0, 0, 0, 1], [0, 1, 1, 0]])  # seeds and examples have equal means
    parts = crossed(d).components
    assert (parts.seeds, parts.examples) == (0, 0)
    assert parts.rest > 0


def test_expected_mean_squares_have_the_components_they_were_made_from():
    parts = crossed(drawn()).components
    again = components(expected(parts, 7, 90), 7, 90)
    assert astuple(again) == pytest.approx(astuple(parts))


def test_the_variance_of_the_mean_is_that_of_its_components():
    parts = crossed(drawn()).components
    error = parts_of(expected(parts, 7, 90), 7, 90)
    assert error.first == pytest.approx(parts.seeds / 7 + parts.rest / (7 * 90))
    assert error.second == pytest.approx(parts.examples / 90)
    assert (error.first_degrees, error.second_degrees) == (6, 89)


def test_without_differences_between_examples_it_is_the_t_test_over_seeds():
    means = np.array([0.1, 0.4, -0.1, 0.3])
    d = np.repeat(means[:, None], 50, axis=1)
    test = ttest_1samp(means, 0)
    one = crossed(d)
    assert one.p() == pytest.approx(test.pvalue)
    assert one.interval() == pytest.approx(tuple(test.confidence_interval()))


def test_seeds_that_agree_throughout_add_nothing_to_one():
    """Where every seed gives the same answers, several are worth as much as one."""
    row = drawn(2, 60)[0]
    several, single = crossed(np.stack([row] * 4)), crossed(row[None])
    assert several.p() == pytest.approx(single.p())
    assert several.p() == pytest.approx(ttest_1samp(row, 0).pvalue)


@pytest.mark.parametrize("start", range(4))
def test_one_seed_of_accuracy_is_mc_nemar_s_test(start):
    """Exactly: chi2 = N t² / (N - 1 + t²). And its p is near that of the exact test."""
    generator = np.random.default_rng(start)
    d = generator.choice([-1.0, 0.0, 1.0], p=[0.06, 0.84, 0.10], size=(1, 800))
    b, c = int((d == 1).sum()), int((d == -1).sum())
    table = [[400, b], [c, 400 - b - c]]
    one = crossed(d)
    t = one.difference / one.standard_error
    assert astuple(one.components) == (0, 0, pytest.approx(d.var(ddof=1)))
    chi2 = mcnemar(table, exact=False, correction=False).statistic
    assert 800 * t**2 / (799 + t**2) == pytest.approx(chi2)
    # The exact test is discrete, and asks for more where few answers differ.
    exact = mcnemar(table, exact=True).pvalue
    assert 0.4 * exact < one.p() < exact


def test_the_error_is_that_of_the_two_way_bootstrap():
    d = drawn(30, 200, of_seeds=0.3)
    generator = np.random.default_rng(3)
    means = [
        d[np.ix_(generator.integers(30, size=30), generator.integers(200, size=200))].mean()
        for _ in range(2000)
    ]
    assert crossed(d).standard_error == pytest.approx(np.std(means), rel=0.1)


def test_interval_and_p_say_the_same():
    for center in (-0.3, 0.25, 1.0):
        one = crossed(drawn(), center)
        low, high = one.interval(1 - one.p())
        assert (low, high) == pytest.approx((min(0, 2 * center), max(0, 2 * center)), abs=1e-9)
        assert np.mean(one.interval()) == pytest.approx(center)


def test_equivalence_is_that_the_90_percent_interval_lies_within_the_margin():
    for center in (-0.3, 0.0, 0.1):
        one = crossed(drawn(), center)
        largest = max(map(abs, one.interval(0.9)))
        assert one.p_equivalence(largest) == pytest.approx(0.05)
        assert one.p_equivalence(1.1 * largest) < 0.05


def test_a_difference_at_the_margin_is_never_equivalent():
    assert crossed(drawn(), 0.2).p_equivalence(0.2) == pytest.approx(0.5)
    assert crossed(drawn(), 0.5).p_equivalence(0.2) > 0.5


def test_answers_that_all_agree_show_equivalence_only_on_enough_examples():
    """With n examples and none that differ, (1 - m)^n is the chance at a difference m."""
    for n, shown in ((100, False), (250, False), (290, False), (400, True), (1000, True)):
        p = crossed(np.zeros((3, n)), step=1.0).p_equivalence(0.01)
        assert (p <= 0.05) == shown
        assert 0.99**n <= 0.05 or not shown


def test_the_least_error_is_that_of_a_binomial_share():
    assert least_error(0.01, 1.0, 400) == pytest.approx(np.sqrt(0.01 * 0.99 / 400))
    assert least_error(0.01, 0.0, 400) == 0


def test_answers_that_all_agree_have_the_interval_of_a_share_of_nothing():
    low, high = crossed(np.zeros((3, 1000)), step=1.0).interval()
    known = proportion_confint(0, 1000, 0.05, method="wilson")[1]
    assert high == -low == pytest.approx(known, rel=0.01)


def test_few_examples_that_agree_are_no_more_than_a_sign_test():
    """Three examples on which one method is always right and the other never show no variance."""
    for n, k in ((3, 3), (5, 5), (400, 4)):
        d = np.zeros((2, n))
        d[:, :k] = 1
        one = crossed(d, step=1.0)
        assert one.p() >= binomtest(k, k).pvalue
        low, high = one.interval()
        assert low <= 0 < high
    d = np.zeros((2, 400))
    d[:, :12] = 1
    assert binomtest(12, 12).pvalue <= crossed(d, step=1.0).p() < 0.001


def test_a_step_changes_nothing_where_many_answers_differ():
    d = np.random.default_rng(0).choice([-1.0, 0, 1], p=[0.3, 0.4, 0.3], size=(4, 300))
    plain, stepped = crossed(d), crossed(d, step=1.0)
    assert plain.p() == stepped.p()
    assert plain.interval() == stepped.interval()
    assert plain.p_equivalence(0.2) == stepped.p_equivalence(0.2)


@pytest.mark.parametrize(("difference", "p", "same"), [(0.0, 1.0, 0.0), (0.125, 0.0, 1.0)])
def test_without_any_error_the_difference_decides(difference, p, same):
    one = crossed(np.full((2, 60), difference))
    assert (one.p(), one.p_equivalence(0.01)) == (pytest.approx(p), same)
    assert one.interval() == (difference, difference)
