"""The paired change of a loss: SciPy's interval for equal texts, and its coverage for unequal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tunebench.retention.change import Losses, change


def test_texts_of_one_length_have_the_interval_of_a_paired_mean() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(40, 5, 25), rng.normal(42, 5, 25)
    tokens = np.full(25, 8)
    known = change(Losses(before, tokens), Losses(after, tokens))
    each = (after - before) / 8
    low, high = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert (known.change, known.low, known.high) == pytest.approx((each.mean(), low, high))


def test_equal_losses_change_by_exactly_nothing() -> None:
    same = Losses(np.array([3.1, 0.2, 7.0]), np.array([2, 1, 5]))
    known = change(same, same)
    assert (known.change, known.low, known.high) == (0.0, 0.0, 0.0)


def test_the_interval_holds_the_truth_where_lengths_differ() -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        tokens = rng.integers(5, 60, 50)
        # A text's own change, the same for all its tokens, and long texts change by more.
        each = 0.1 + 0.01 * (tokens - 32) + rng.normal(0, 0.2, 50)
        truth_rng = np.arange(5, 60)
        truth = ((0.1 + 0.01 * (truth_rng - 32)) * truth_rng).sum() / truth_rng.sum()
        before = rng.normal(4, 1, 50) * tokens
        known = change(Losses(before, tokens), Losses(before + each * tokens, tokens))
        held += known.low <= truth <= known.high
    assert 0.91 <= held / 400 <= 0.985
