"""Metrics of classes from counts, against scikit-learn, and without each example by deletion."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef
from tunebench.analysis.verdict import confusion


def macro(y, p):
    return f1_score(y, p, average="macro", zero_division=0.0)


def balanced(y, p):
    # scikit-learn warns of an answer that is no label, and leaves it out, as we do.
    return np.mean([np.mean(p[y == c] == c) for c in np.unique(y)])


ORACLES = {
    "accuracy": lambda y, p: np.mean(y == p),
    "balanced_accuracy": balanced,
    "macro_f1": macro,
    "mcc": matthews_corrcoef,
}


def drawn(classes, seed, n=40):
    """Labels, and answers that are right more often than not."""
    generator = np.random.default_rng(seed)
    y = generator.integers(classes, size=n)
    return y, np.where(generator.random(n) < 0.5, y, generator.integers(classes, size=n))


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_and_each_deletion_are_scikit_learn_s(name, classes, seed):
    y, p = drawn(classes, seed)
    score, without = confusion.each_left_out(confusion.METRICS[name], y, p, classes)
    assert score == pytest.approx(ORACLES[name](y, p))
    deleted = [ORACLES[name](np.delete(y, i), np.delete(p, i)) for i in range(len(y))]
    assert without == pytest.approx(deleted)


def test_balanced_accuracy_is_scikit_learn_s_own():
    y, p = drawn(3, 0)
    counts = confusion.counted(y, p, 3)
    assert confusion.balanced_accuracy(counts) == pytest.approx(balanced_accuracy_score(y, p))


@pytest.mark.parametrize("number", range(3))
def test_f1_of_a_class_is_that_class_against_all_others(number):
    y, p = drawn(3, number)
    score, without = confusion.each_left_out(confusion.f1_of(number), y, p, 3)
    one = [f1_score(np.delete(y, i) == number, np.delete(p, i) == number) for i in range(len(y))]
    assert score == pytest.approx(f1_score(y == number, p == number))
    assert without == pytest.approx(one)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([0, 0, 0, 1], [0, 0, 0, 0]),
        ([0, 1, 0, 1], [1, 1, 1, 1]),
        ([0, 0, 0, 1], [0, 1, 0, 1]),
        ([1, 1], [0, 0]),
        ([0, 1], [0, 1]),
    ],
)
def test_what_vanishes_with_an_example_is_scored_as_in_the_objective(name, y, p):
    y, p = np.array(y), np.array(p)
    _, without = confusion.each_left_out(confusion.METRICS[name], y, p, 2)
    for i, value in enumerate(without):
        a, b = np.delete(y, i), np.delete(p, i)
        constant = name == "mcc" and (len(set(a)) == 1 or len(set(b)) == 1)
        assert value == pytest.approx(0.0 if constant else ORACLES[name](a, b))


def test_a_class_that_never_occurs_changes_nothing():
    y, p = drawn(3, 1)
    for metric in confusion.METRICS.values():
        three = confusion.each_left_out(metric, y, p, 3)
        nine = confusion.each_left_out(metric, y, p, 9)
        assert three[0] == nine[0]
        assert three[1] == pytest.approx(nine[1])


def test_counts_of_a_large_test_set_do_not_overflow():
    # The product of four counts of 10^6 leaves 64-bit integers.
    y = np.tile([0, 1], 500_000)
    p = y.copy()
    p[:1000] = 1 - p[:1000]
    score, _ = confusion.each_left_out(confusion.mcc, y, p, 2)
    assert score == pytest.approx(1 - 2 * 1000 / 10**6)
