"""Which metric a name means, where classes have names of their own."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics
from tunebench.data.split import hold_out
from tunebench.data.tasks import Examples, Task
from tunebench.errors import UnknownName
from tunebench.objectives import get_objective

CLASSIFICATION = get_objective("classification")
LABELS, ANSWERS = torch.tensor([0, 1, 1, 2, 2, 2]), torch.tensor([0, 1, 2, 2, 0, 2])


def task(*labels: str) -> Task:
    return Task("made-up", ("text",), "label", labels, ("accuracy",), "")


@pytest.mark.parametrize("name", sorted(CLASSIFICATION.metrics))
def test_a_metric_s_own_name_means_the_metric_also_where_a_class_is_called_so(name: str) -> None:
    for labels in (("a", "b"), (name, "b")):
        assert CLASSIFICATION.metric(task(*labels), name) is CLASSIFICATION.metrics[name]


@pytest.mark.parametrize("labels", [("a", "b", "c"), ("f1", "mcc", "a:b")])
def test_f1_of_a_class_is_asked_for_by_its_name(labels: tuple[str, ...]) -> None:
    for number, label in enumerate(labels):
        of_class = CLASSIFICATION.metric(task(*labels), f"f1:{label}")
        expected = metrics.f1_score(number == LABELS, number == ANSWERS)
        assert float(of_class(ANSWERS, LABELS, task(*labels))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("urgent", [*CLASSIFICATION.metrics, "f1:urgent"]),
        ("late", [*CLASSIFICATION.metrics]),
        ("f1:late", [*CLASSIFICATION.metrics, "f1:urgent", "f1:normal"]),
        ("mcc:urgent", [*CLASSIFICATION.metrics, "f1:urgent", "f1:normal"]),
        ("f1:", [*CLASSIFICATION.metrics, "f1:urgent", "f1:normal"]),
    ],
)
def test_an_unknown_metric_is_answered_with_those_that_there_are(
    name: str, known: list[str]
) -> None:
    expected = str(UnknownName("metric", name, known))
    with pytest.raises(UnknownName, match=f"^{re.escape(expected)}$"):
        CLASSIFICATION.metric(task("urgent", "normal"), name)


@pytest.mark.parametrize("name", sorted(CLASSIFICATION.metrics))
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_row_has_every_score(name: str, label: float) -> None:
    one = replace(task("no", "yes"), metrics=(name,))
    right = CLASSIFICATION.score(one, [label], [label])[name]
    wrong = CLASSIFICATION.score(one, [1.0 - label], [label])[name]
    # With one row Matthews's correlation is 0/0, and what finds one class found or missed it.
    assert wrong == 0.0
    assert right == (0.0 if name == "mcc" or (name == "f1" and not label) else right)
    assert 0.0 <= right <= 1.0


@pytest.mark.parametrize("classes", [2, 3])
def test_every_metric_is_that_of_scikit_learn(classes: int) -> None:
    generator = np.random.default_rng(classes)
    labels = generator.integers(0, classes, 40)
    answers = np.where(generator.random(40) < 0.6, labels, generator.integers(0, classes, 40))
    oracles = {
        "accuracy": metrics.accuracy_score(labels, answers),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, answers),
        "macro_f1": metrics.f1_score(labels, answers, average="macro"),
        "mcc": metrics.matthews_corrcoef(labels, answers),
        "f1": metrics.f1_score(labels == 1, answers == 1),
    }
    assert oracles.keys() == CLASSIFICATION.metrics.keys()
    names = tuple(name for name in oracles if name != "f1" or classes == 2)
    every = replace(task(*"abc"[:classes]), metrics=names)
    scores = CLASSIFICATION.score(every, answers.tolist(), labels.tolist())
    assert {name: scores[name] for name in names} == pytest.approx(
        {name: oracles[name] for name in names}, abs=1e-6
    )


@pytest.mark.parametrize("rows", [3, 4, 5])
def test_every_class_keeps_two_rows_to_train_on(rows: int) -> None:
    # One of them to learn from and one to select on, however much is held out.
    labels = (0.0,) * 3 + (1.0,) * rows
    ids = tuple(f"r{number}" for number in range(len(labels)))
    examples = Examples(ids, tuple((one,) for one in ids), labels)
    most = (len(labels) - 4) / len(labels) + 1e-9
    train, test = hold_out(examples, task("one", "two"), share=most, seed=0)
    assert (train.labels.count(0.0), train.labels.count(1.0)) == (2, 2)
    assert len(test) == len(labels) - 4
