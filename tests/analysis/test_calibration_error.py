"""ECE and its pseudo-values against torchmetrics, scikit-learn and plain deletion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from torchmetrics.classification import MulticlassCalibrationError
from tunebench.analysis import Predictions, remembered
from tunebench.analysis.calibration_error import BINS, binned, calibration_error
from tunebench.records import Result

from tests.records import result


def answers_of(probabilities: np.ndarray, labels: np.ndarray) -> Predictions:
    """The likeliest classes of some rows of probabilities (N k), as a cell stores them."""
    names = [f"class {number}" for number in range(probabilities.shape[1])]
    return Predictions(
        tuple(range(len(labels))),
        tuple(names[label] for label in labels),
        tuple(names[answer] for answer in probabilities.argmax(1)),
        {f"probability_{name}": probabilities[:, i].tolist() for i, name in enumerate(names)},
    )


def drawn(seed: int, classes: int, examples: int, sharp: float = 2.0) -> Predictions:
    """Answers whose probabilities are sharper than their accuracy is."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(examples, classes))
    exact = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([generator.choice(classes, p=row) for row in exact])
    shown = np.exp(sharp * logits) / np.exp(sharp * logits).sum(1, keepdims=True)
    return answers_of(shown, labels)


def table(one: Predictions) -> np.ndarray:
    """The probabilities of some answers (N k)."""
    return np.array(list(one.more.values())).T


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("examples", [2, 40, 872])
def test_the_error_is_that_of_torchmetrics(classes: int, examples: int) -> None:
    one = drawn(classes, classes, examples)
    labels = torch.tensor([int(label.removeprefix("class ")) for label in one.labels])
    metric = MulticlassCalibrationError(num_classes=classes, n_bins=BINS, norm="l1")
    wanted = float(metric(torch.tensor(table(one)), labels))
    assert calibration_error(one) == pytest.approx(wanted, abs=1e-6)


def test_the_error_is_the_mean_gap_of_scikit_learn_s_curve() -> None:
    """Ones and edges included, where torchmetrics counts a confidence of 1 as a further bin."""
    edges = np.repeat(np.arange(1, BINS + 1) / BINS, 12)
    right = np.arange(len(edges)) % 5 > 1
    labels = tuple("yes" if one else "no" for one in right)
    more = {"probability_yes": edges.tolist()}
    one = Predictions(tuple(range(len(edges))), labels, ("yes",) * len(edges), more)
    shares, confidences = calibration_curve(right, edges, n_bins=BINS)
    counts = np.full(len(shares), 12)
    wanted = float(np.average(abs(shares - confidences), weights=counts))
    assert len(shares) == len(set(edges))
    assert calibration_error(one) == pytest.approx(wanted)


@given(seed=st.integers(0, 10_000), examples=st.integers(2, 60), classes=st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_a_pseudo_value_is_what_leaving_the_example_out_changes(
    seed: int, examples: int, classes: int
) -> None:
    one = drawn(seed, classes, examples + 1)
    whole, n = binned(one), examples + 1
    assert whole is not None
    for left_out in range(n):
        kept = [i for i in range(n) if i != left_out]
        less = replace(
            one,
            ids=tuple(one.ids[i] for i in kept),
            labels=tuple(one.labels[i] for i in kept),
            predictions=tuple(one.predictions[i] for i in kept),
            more={name: [values[i] for i in kept] for name, values in one.more.items()},
        )
        without = calibration_error(less)
        assert without is not None
        pseudo = n * whole.error - (n - 1) * without
        assert whole.pseudo_values[left_out] == pytest.approx(pseudo, abs=1e-9)


def test_exact_probabilities_have_by_chance_what_was_computed() -> None:
    errors, computed = [], []
    for seed in range(300):
        one = binned(drawn(seed, 3, 872, sharp=1.0))
        assert one is not None
        errors.append(one.error)
        computed.append(one.by_chance)
    # Three standard errors of 300 draws.
    tolerance = 3 * np.std(errors) / np.sqrt(300)
    assert np.mean(errors) == pytest.approx(np.mean(computed), abs=tolerance)


def test_a_model_that_is_always_right_and_sure_has_none_and_one_always_wrong_has_one() -> None:
    sure = np.tile([0.0, 1.0], (50, 1))
    assert calibration_error(answers_of(sure, np.ones(50, dtype=int))) == 0
    assert calibration_error(answers_of(sure, np.zeros(50, dtype=int))) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"predictions": (0.5, 1.5), "labels": (0.5, 1.0)},
        {"predictions": (["a"], ["a"]), "labels": (["a"], ["b"])},
        {"predictions": ("class 0", "class 9")},
        {"more": {}},
        {"more": {"probability_class 0": [0.9, None], "probability_class 1": [0.1, 0.4]}},
        {"more": {"probability_class 0": [0.9, float("nan")], "probability_class 1": [0.1, 0.4]}},
        {"more": {"probability_class 0": [0.9, 1.5], "probability_class 1": [0.1, -0.5]}},
        {"more": {"probability_class 0": ["high", "low"], "probability_class 1": [0.1, 0.4]}},
        {"more": {"probability_class 0": [[0.9], [0.6]], "probability_class 1": [[0.1], [0.4]]}},
    ],
)
def test_answers_without_a_probability_have_no_error(changed: dict[str, Any]) -> None:
    probabilities = {"probability_class 0": [0.9, 0.6], "probability_class 1": [0.1, 0.4]}
    plain = Predictions((0, 1), ("class 0", "class 1"), ("class 0", "class 0"), probabilities)
    assert calibration_error(plain) == pytest.approx((0.1 + 0.6) / 2)
    assert calibration_error(replace(plain, **changed)) is None


def test_a_confidence_that_rounding_made_more_than_one_counts_as_one() -> None:
    probabilities = {"probability_yes": [1 + 1e-7, 1.0]}
    assert calibration_error(Predictions((0, 1), ("yes",) * 2, ("yes",) * 2, probabilities)) == 0


def test_a_file_is_read_once_and_again_where_the_cell_was_made_again() -> None:
    calls: list[str] = []

    def read(row: Result) -> Predictions | None:
        calls.append(row.finished)
        return drawn(len(calls), 2, 40)

    error, row = remembered(read), result("sst2", "lora", 0)
    assert error(row) == error(row) == calibration_error(drawn(1, 2, 40))
    assert len(calls) == 1
    again = replace(row, finished="2026-01-02T03:04:06+00:00")
    assert error(again) == calibration_error(drawn(2, 2, 40))
    assert error(replace(row, predictions="")) is None
    assert len(calls) == 2


@pytest.mark.parametrize("below", range(1, BINS))
def test_what_lies_on_both_sides_of_an_edge_is_not_averaged(below: int) -> None:
    # One bin says too much and its neighbour too little: together they would look right.
    middles = np.array([below - 0.5, below + 0.5]).repeat(10) / BINS
    right = np.arange(20) < 10
    more = {"probability_yes": middles.tolist()}
    labels = tuple("yes" if one else "no" for one in right)
    one = Predictions(tuple(range(20)), labels, ("yes",) * 20, more)
    assert calibration_error(one) == pytest.approx(abs(right - middles).mean())
