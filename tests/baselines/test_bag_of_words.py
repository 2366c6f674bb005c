"""The untrained baselines: at their optimum, and against what is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from tunebench.baselines.bag_of_words import bag_of_words, features, majority
from tunebench.data.pocket import make
from tunebench.data.tasks import Examples, Task, TaskData
from tunebench.objectives import get_objective


def _task(classes: int, metric: str = "accuracy") -> Task:
    labels = tuple(f"class{number}" for number in range(classes))
    objective = "classification" if classes else "regression"
    about = "A made-up task."
    return Task("made_up", ("text",), "label", labels, (metric,), about, objective=objective)


def _examples(texts: list[str], labels: list[float]) -> Examples:
    ids = tuple(f"row-{number}" for number in range(len(texts)))
    return Examples(ids, tuple((text,) for text in texts), tuple(labels))


def _random_rows(classes: int, count: int = 80) -> tuple[Examples, np.ndarray]:
    """Texts of random words whose label leans on the words, and their counts."""
    generator = np.random.default_rng(7)
    counts = generator.integers(0, 3, size=(count, 6))
    counts[:, 0] += 1
    texts = [
        " ".join(f"word{column}" for column, times in enumerate(row) for _ in range(times))
        for row in counts
    ]
    noisy = counts @ generator.normal(size=(6, max(1, classes)))
    noisy = noisy + generator.normal(size=noisy.shape)
    labels = noisy.argmax(1) if classes else noisy[:, 0]
    return _examples(texts, [float(label) for label in labels]), counts


def test_counts_are_the_words_of_the_texts() -> None:
    rows, counts = _random_rows(3)
    for texts, row in zip(rows.texts, counts, strict=True):
        assert features(texts) == {("0", f"word{n}"): k for n, k in enumerate(row) if k}


@pytest.mark.parametrize("classes", [2, 3])
def test_the_gradient_of_the_penalised_loss_vanishes_at_the_logistic_weights(classes: int) -> None:
    rows, counts = _random_rows(classes)
    task = _task(classes)
    model = get_objective("classification").linear_model(task)
    model.fit(counts, np.array(rows.labels, dtype=int))
    wrong = model.predict_proba(counts) - np.eye(classes)[np.array(rows.labels, dtype=int)]
    # With two classes the weights of the second are half of scikit-learn's one row.
    weight = model.coef_ if classes > 2 else np.concatenate([-model.coef_, model.coef_]) / 2
    np.testing.assert_allclose(wrong.T @ counts + weight, 0, atol=1e-5)
    np.testing.assert_allclose(wrong.sum(0), 0, atol=1e-5)


def test_the_gradient_of_the_penalised_error_vanishes_at_the_ridge_weights() -> None:
    rows, counts = _random_rows(0)
    model = get_objective("regression").linear_model(_task(0, "pearson"))
    model.fit(counts, np.array(rows.labels))
    wrong = model.predict(counts) - np.array(rows.labels)
    np.testing.assert_allclose(wrong @ counts + model.coef_, 0, atol=1e-6)
    assert wrong.sum() == pytest.approx(0, abs=1e-6)


def test_a_pair_counts_each_text_and_what_they_share() -> None:
    counted = features(("The dog saw the cat", "The cat didn't see"))
    assert counted[("0", "the")] == 2
    assert counted[("1", "didn't")] == 1
    assert counted[("shared", "the")] == 1
    assert counted[("shared", "cat")] == 1
    assert ("shared", "dog") not in counted
    assert counted[("shared", "")] == 2


def test_the_majority_is_counted_in_train_and_scored_on_test() -> None:
    train = _examples(["a", "b", "c"], [1.0, 1.0, 0.0])
    test = _examples(["d", "e", "f", "g"], [1.0, 0.0, 0.0, 0.0])
    row = majority(TaskData(_task(2), train, test, "made up", "", {}))
    assert (row.task, row.name, row.score, row.accuracy) == ("made_up", "majority", 0.25, 0.25)


def test_of_equally_frequent_classes_the_lowest_is_the_majority() -> None:
    train = _examples(["a", "b"], [1.0, 0.0])
    test = _examples(["d"], [0.0])
    assert majority(TaskData(_task(2), train, test, "made up", "", {})).accuracy == 1.0


def test_a_constant_answer_correlates_with_nothing() -> None:
    row = majority(make("similarity"))
    assert row.score == 0.0
    assert row.accuracy is None


def test_words_that_decide_the_label_are_found() -> None:
    train = _examples(["good film", "bad film", "good day", "bad day"], [1.0, 0.0, 1.0, 0.0])
    test = _examples(["a bad plot", "such a good idea"], [0.0, 1.0])
    row = bag_of_words(TaskData(_task(2), train, test, "made up", "", {}))
    assert row.name == "bag of words"
    assert row.score == row.accuracy == 1.0


def test_texts_without_any_word_get_the_majority_s_answer() -> None:
    train = _examples(["😀", "😡", "…", "!"], [1.0, 0.0, 1.0, 1.0])
    test = _examples(["😀", "?"], [1.0, 1.0])
    assert bag_of_words(TaskData(_task(2), train, test, "made up", "", {})).score == 1.0


def test_test_words_unseen_in_train_are_left_out() -> None:
    train = _examples(["good", "bad"], [1.0, 0.0])
    test = _examples(["unheard of"], [0.0])
    assert bag_of_words(TaskData(_task(2), train, test, "made up", "", {})).score in (0.0, 1.0)
