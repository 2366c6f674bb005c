"""Pseudo-values against deletion with our own objectives, and what has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis import Predictions
from tunebench.analysis.verdict.pseudo_values import CannotPair, pseudo_values
from tunebench.objectives import get_objective

from tests.analysis.verdict.made_up import scores, stored, task

TWO, THREE = ("no", "yes"), ("bill", "b, c", "urgent")


def drawn(classes: int, seed: int = 0, n: int = 24) -> tuple[list[int], list[int]]:
    """Labels, and answers that are often right."""
    generator = np.random.default_rng(seed)
    y = generator.integers(classes, size=n)
    p = np.where(generator.random(n) < 0.5, y, generator.integers(classes, size=n))
    return y.tolist(), p.tolist()


def without(values: list[float], i: int) -> list[float]:
    return values[:i] + values[i + 1 :]


@pytest.mark.parametrize(
    ("metrics", "classes"),
    [
        (["accuracy"], TWO),
        (["f1"], TWO),
        (["mcc"], TWO),
        (["accuracy", "f1"], TWO),
        (["macro_f1"], THREE),
        (["mcc"], THREE),
        (["balanced_accuracy"], THREE),
        (["f1:b, c"], THREE),
        (["accuracy", "f1:urgent"], THREE),
    ],
)
def test_they_are_those_of_the_objective_by_deletion(metrics, classes):
    of = task(metrics, classes)
    objective = get_objective(of.objective)
    y, p = drawn(len(classes))
    n = len(y)
    ours = pseudo_values(objective.metric_name(of), stored(of, y, p))
    score = objective.mean_score(of, scores(of, y, p))
    deleted = [objective.mean_score(of, scores(of, without(y, i), without(p, i))) for i in range(n)]
    assert ours.score == pytest.approx(score, abs=1e-6)
    # torchmetrics computes in fp32, and N times that is left over.
    assert ours.values == pytest.approx(
        [n * score - (n - 1) * one for one in deleted], abs=1e-5 * n
    )
    assert ours.step == pytest.approx(max(ours.values) - min(ours.values))


@pytest.mark.parametrize("metrics", [["pearson"], ["spearman"], ["pearson", "spearman"]])
def test_those_of_numbers_too(metrics):
    of = task(metrics)
    objective = get_objective("regression")
    generator = np.random.default_rng(1)
    y = (np.round(generator.uniform(0, 5, 24) * 4) / 4).tolist()
    p = (np.array(y) + generator.normal(size=24)).tolist()
    n = len(y)
    ours = pseudo_values(objective.metric_name(of), stored(of, y, p))
    score = objective.mean_score(of, scores(of, y, p))
    deleted = [objective.mean_score(of, scores(of, without(y, i), without(p, i))) for i in range(n)]
    assert ours.score == pytest.approx(score, abs=1e-6)
    assert ours.values == pytest.approx(
        [n * score - (n - 1) * one for one in deleted], abs=1e-5 * n
    )
    assert ours.step == 0


def test_of_accuracy_they_are_whether_the_answer_is_right():
    y, p = drawn(3)
    ours = pseudo_values("accuracy", stored(task(["accuracy"], THREE), y, p))
    assert ours.values == pytest.approx((np.array(y) == np.array(p)).astype(float))


def test_a_mean_of_metrics_has_the_mean_of_their_pseudo_values():
    of = task(["accuracy", "f1"])
    cell = stored(of, *drawn(2))
    both = pseudo_values("mean(accuracy, f1)", cell)
    one, other = pseudo_values("accuracy", cell), pseudo_values("f1", cell)
    assert both.values == pytest.approx((one.values + other.values) / 2)
    assert both.score == pytest.approx((one.score + other.score) / 2)


def test_f1_is_of_the_class_that_the_file_has_second():
    """The order is the task's, whatever the alphabet says."""
    y, p = drawn(2)
    for classes in (("no", "yes"), ("yes", "no")):
        of = task(["f1"], classes)
        assert pseudo_values("f1", stored(of, y, p)).score == pytest.approx(
            scores(of, y, p)["f1"], abs=1e-6
        )


def test_classes_may_be_numbers():
    y, p = drawn(2)
    numbers = Predictions(tuple(range(len(y))), tuple(map(float, y)), tuple(map(float, p)))
    for metric in ("f1", "mcc"):
        named = pseudo_values(metric, stored(task([metric]), y, p))
        assert pseudo_values(metric, numbers).values == pytest.approx(named.values)


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("exact_match", "the metric 'exact_match' is none of accuracy, "),
        ("mean(accuracy, exact_match)", "the metric 'exact_match' is none of "),
        ("f1", "F1 is that of the second of two classes"),
        ("f1:never", "no class of the answers is called 'never'"),
        ("pearson", "a correlation needs finite numbers"),
    ],
)
def test_what_has_none_says_why(metric, reason):
    with pytest.raises(CannotPair, match=reason):
        pseudo_values(metric, stored(task(["accuracy"], THREE), *drawn(3)))


def test_f1_of_names_without_an_order_is_not_guessed():
    named = stored(task(["f1"]), *drawn(2))
    with pytest.raises(CannotPair, match="which the answers do not name"):
        pseudo_values("f1", replace(named, more={}))


def test_lists_as_answers_can_be_right_or_wrong():
    answers = Predictions((0, 1, 2), (["a"], ["a", "b"], []), (["a"], ["a"], []))
    assert pseudo_values("accuracy", answers).values.tolist() == pytest.approx([1, 0, 1])
    with pytest.raises(CannotPair, match="finite numbers"):
        pseudo_values("pearson", answers)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1.5", None])
def test_a_correlation_of_what_is_no_number_is_refused(value):
    with pytest.raises(CannotPair, match="finite numbers"):
        pseudo_values("pearson", Predictions((0, 1, 2), (0.5, 1.0, 2.0), (1.0, 2.0, value)))


@pytest.mark.parametrize("n", [0, 1])
def test_one_example_is_too_few(n):
    with pytest.raises(CannotPair, match="two test examples"):
        pseudo_values("accuracy", Predictions(("a",) * n, ("x",) * n, ("x",) * n))
