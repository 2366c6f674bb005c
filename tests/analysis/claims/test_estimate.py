"""Figures with their intervals, against the pair's own and against scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tunebench.analysis.claims.estimate import Contrast, Count, Mean, contrast
from tunebench.analysis.verdict import verdict
from tunebench.analysis.verdict.pseudo_values import CannotPair

from tests.analysis.claims.planted import arm


def test_a_difference_of_two_arms_is_the_pair_of_the_verdict() -> None:
    one, two = arm("lora", 0.8, seeds=3), arm("head", 0.7, seeds=3)
    (pair,) = verdict([*one.cells, *two.cells], "made-up").pairs
    result = contrast((1, one), (-1, two))
    assert result.figure == pytest.approx(pair.difference)
    assert result.interval() == pytest.approx((pair.low, pair.high))
    assert result.runs == (*one.runs, *two.runs)


def test_a_difference_of_differences_is_computed_example_by_example() -> None:
    """Where the second pair is the first one again the sum is nothing, and certainly so."""
    arms = [arm(name, share) for name, share in (("a", 0.8), ("bb", 0.7), ("ccc", 0.6))]
    result = contrast((1, arms[0]), (-1, arms[1]), (-1, arms[0]), (1, arms[1]))
    assert result.figure == pytest.approx(0.0)
    assert result.crossed.standard_error == pytest.approx(0.0)
    wide = contrast((1, arms[0]), (-1, arms[1]), (-1, arms[2]), (1, arms[1]))
    assert wide.figure == pytest.approx(contrast((1, arms[0]), (-1, arms[2])).figure)


def test_only_the_seeds_that_all_arms_have_count() -> None:
    few = arm("lora", 0.8, seeds=2)
    result = contrast((1, arm("head", 0.7, seeds=5)), (-1, few))
    assert result.crossed.seeds == 2
    assert len(result.runs) == 4


def test_no_common_seed_and_other_examples_are_no_comparison() -> None:
    one, two = arm("lora", 0.8, seeds=1), arm("head", 0.7, seeds=1)
    moved = tuple(replace(c, result=replace(c.result, seed=7)) for c in two.cells)
    with pytest.raises(CannotPair, match="no complete seed in common"):
        contrast((1, one), (-1, replace(two, cells=moved)))
    with pytest.raises(CannotPair, match="different test examples"):
        contrast((1, one), (-1, arm("head", 0.7, seeds=1, tests=900)))


def test_one_seed_has_no_interval_and_says_so() -> None:
    result = contrast((1, arm("lora", 0.8, seeds=1)), (-1, arm("head", 0.5, seeds=1)))
    assert result.interval() is None
    assert "run 3 at least" in result.to_settle(0.0)


def test_a_mean_has_student_s_interval() -> None:
    values = np.random.default_rng(0).normal(1.0, 0.2, 6)
    result = Mean(tuple(map(float, values)), ("run",))
    assert result.figure == pytest.approx(values.mean())
    for confidence in (0.95, 0.99):
        expected = stats.t.interval(confidence, 5, values.mean(), stats.sem(values))
        assert result.interval(confidence) == pytest.approx(expected)
    assert Mean((1.0,), ("run",)).interval() is None


def test_a_count_is_exact() -> None:
    assert Count(3.0, ("run",)).interval() == (3.0, 3.0)
    assert Count(3.0, ("run",)).to_settle(0.0) == ""


def test_what_would_settle_it_is_about_the_bound() -> None:
    """Far from nothing and near the bound many seeds are needed, and the other way round few."""
    result = contrast((1, arm("lora", 0.8, seeds=3)), (-1, arm("head", 0.76, seeds=3)))
    near, far = result.to_settle(result.figure - 0.001), result.to_settle(0.0)
    assert near != far
    assert far.startswith("4 seeds would decide it") or "5 seeds" in far
    assert "test examples" in near or "seeds" in near


def test_where_seeds_alone_cannot_decide_examples_are_named() -> None:
    random = np.random.default_rng(1)
    answers = random.random(200) < 0.5
    one = arm("lora", 0.8, seeds=3, tests=200)
    same = Contrast(contrast((1, one), (-1, arm("head", 0.79, seeds=3, tests=200))).crossed, ())
    assert answers.any()
    assert "No number of seeds" in same.to_settle(same.figure - 1e-4) or "too near" in (
        same.to_settle(same.figure - 1e-4)
    )
