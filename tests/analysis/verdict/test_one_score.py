"""Intervals of one model's score: beside SciPy's, at the ends of the scale, and by coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tunebench.analysis.predictions import Predictions
from tunebench.analysis.verdict.matching import ROUNDING
from tunebench.analysis.verdict.one_score import score_interval


def answers(right: np.ndarray, labels: np.ndarray | None = None) -> Predictions:
    """Answers of two classes that are right where this says so."""
    true = np.arange(len(right)) % 2 if labels is None else labels
    chosen = np.where(right, true, 1 - true)
    ids = tuple(range(len(right)))
    return Predictions(ids, tuple(true.tolist()), tuple(chosen.tolist()))


def test_an_accuracy_has_the_interval_of_a_mean() -> None:
    right = np.random.default_rng(0).random(150) < 0.8
    known = score_interval("accuracy", float(right.mean()), answers(right))
    error = right.std(ddof=1) / np.sqrt(150)
    assert known == pytest.approx(stats.t.interval(0.95, 149, right.mean(), error), abs=1e-6)


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_alike_are_not_certain(right: bool) -> None:
    all_alike = np.full(2000, right)
    known = score_interval("accuracy", float(right), answers(all_alike))
    wilson = stats.binomtest(2000 * right, 2000).proportion_ci(method="wilson")
    assert known == pytest.approx((wilson.low, wilson.high), abs=1e-4)


def test_a_correlation_of_classes_ends_where_its_scale_does() -> None:
    known = score_interval("mcc", 1.0, answers(np.full(50, True)))
    assert known is not None
    assert known[1] == 1.0
    assert 0.5 < known[0] < 0.95


def test_the_interval_holds_the_truth_in_19_studies_of_20() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        right = rng.random(200) < 0.9
        low, high = score_interval("accuracy", float(right.mean()), answers(right)) or (1.0, 0.0)
        held += low <= 0.9 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_answers_that_do_not_give_the_recorded_score_have_no_interval() -> None:
    right = np.arange(100) < 80
    assert score_interval("accuracy", 0.81, answers(right)) is None
    assert score_interval("no such metric", 0.8, answers(right)) is None
    lost = Predictions(tuple(range(100)), (0,) * 100, (0,) * 99)
    assert score_interval("accuracy", 0.8, lost) is None


def test_a_score_that_is_as_far_off_as_rounding_goes_is_the_same_one() -> None:
    wrong = answers(np.full(100, False))
    assert score_interval("accuracy", ROUNDING, wrong) is not None
    assert score_interval("accuracy", 1.001 * ROUNDING, wrong) is None
