"""The registry of objectives, and what all of them keep to."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, recall_score
from tunebench.data.tasks import GLUE, Task
from tunebench.errors import UnknownName
from tunebench.objectives import IDENTITY, get_objective, names

TASKS = {"classification": GLUE["mnli"], "regression": GLUE["stsb"]}
LABELS = {
    "classification": [0.0, 2.0, 1.0, 1.0, 0.0, 2.0],
    "regression": [0.5, 4.0, 2.25, 3.0, 5.0, 0.0],
}
"""At least one task and a few labels for each objective that there is."""


def test_the_folder_is_the_registry() -> None:
    assert names() == ("classification", "regression")
    assert get_objective("regression") is get_objective("regression")
    with pytest.raises(UnknownName, match="classification, regression"):
        get_objective("regresion")


def test_objectives_are_asked_without_torch() -> None:
    code = (
        "import sys; from tunebench.objectives import get_objective as get;"
        "from tunebench.data.tasks import GLUE;"
        "[get(n).strata(GLUE[t], ['a', 'b'], [0.0, 1.0]) and get(n).metric_name(GLUE[t])"
        " for n, t in (('classification', 'sst2'), ('regression', 'stsb'))];"
        "assert not {'torch', 'sklearn', 'torchmetrics'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", names())
def test_true_labels_score_one_and_lose_least(name: str) -> None:
    objective, task, labels = get_objective(name), TASKS[name], LABELS[name]
    scored = objective.score(task, labels, labels)
    assert objective.mean_score(task, scored) == pytest.approx(1.0)
    assert set(task.metrics) | set(objective.always) == set(scored)


@pytest.mark.parametrize("name", names())
def test_outputs_that_say_the_labels_give_the_labels_as_answers(name: str) -> None:
    objective, task, labels = get_objective(name), TASKS[name], LABELS[name]
    scale = objective.scale(labels)
    targets = objective.targets(labels, scale)
    sure = (
        20.0 * torch.nn.functional.one_hot(targets, 3).float()
        if name == "classification"
        else targets[:, None]
    )
    assert sure.shape[1] == objective.outputs(task)
    assert float(objective.loss(sure, targets)) == pytest.approx(0, abs=1e-6)
    answers = objective.answers(objective.predictions(sure, scale))
    assert answers == pytest.approx(labels, abs=1e-6)


@pytest.mark.parametrize("name", names())
def test_strata_hold_every_row_once(name: str) -> None:
    objective, task, labels = get_objective(name), TASKS[name], LABELS[name]
    strata = objective.strata(task, [f"r{n}" for n in range(6)], labels)
    assert sorted(row for stratum in strata for row in stratum.rows) == list(range(6))
    assert all(stratum.rows for stratum in strata)


@pytest.mark.parametrize("name", names())
def test_no_constant_answer_loses_less_than_the_majority(name: str) -> None:
    objective, labels = get_objective(name), [*LABELS[name], LABELS[name][0]]
    best = objective.majority(labels)

    def wrong(answer: float) -> float:
        if name == "classification":
            return sum(answer != label for label in labels)
        return sum((answer - label) ** 2 for label in labels)

    assert all(wrong(best) <= wrong(other) for other in labels)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [2, 4])
def test_metrics_that_see_rare_classes_are_those_of_scikit_learn(classes: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    # The last class is rare, and may be absent from labels or answers.
    shares = [1.0] * (classes - 1) + [0.05]
    shares = [share / sum(shares) for share in shares]
    y, p = generator.choice(classes, size=(2, 30), p=shares)
    labels = tuple(f"c{number}" for number in range(classes))
    names = ("macro_f1", "balanced_accuracy", "f1:c1")
    task = Task("made-up", ("text",), "label", labels, names, "")
    scored = get_objective("classification").score(task, p.tolist(), y.tolist())
    assert scored["macro_f1"] == pytest.approx(
        f1_score(y, p, average="macro", zero_division=0), abs=1e-6
    )
    recalls = recall_score(y, p, average=None, labels=np.unique(y), zero_division=0)
    assert scored["balanced_accuracy"] == pytest.approx(recalls.mean(), abs=1e-6)
    assert scored["f1:c1"] == pytest.approx(f1_score(y == 1, p == 1, zero_division=0), abs=1e-6)


def test_columns_name_the_classes() -> None:
    objective = get_objective("classification")
    probabilities = torch.tensor([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]])
    assert objective.columns(TASKS["classification"], [2.0, 0.0], probabilities) == {
        "label": ["contradiction", "entailment"],
        "prediction": ["neutral", "entailment"],
        "probability_entailment": pytest.approx([0.2, 0.7]),
        "probability_neutral": pytest.approx([0.5, 0.1]),
        "probability_contradiction": pytest.approx([0.3, 0.2]),
    }


@pytest.mark.parametrize("shift", [0.0, 1e4, 1.764e9, -1e12])
def test_a_shift_of_all_values_changes_no_target(shift: float) -> None:
    objective, labels = get_objective("regression"), LABELS["regression"]
    moved = [label + shift for label in labels]
    targets = objective.targets(labels, objective.scale(labels))
    again = objective.targets(moved, objective.scale(moved))
    torch.testing.assert_close(again, targets, rtol=0, atol=2e-3 if shift < 0 else 1e-3)


@pytest.mark.parametrize("factor", [1e-40, 1e-3, 1e3, 1e200])
def test_a_unit_changes_no_target_and_comes_back_in_the_answers(factor: float) -> None:
    objective, labels = get_objective("regression"), LABELS["regression"]
    scaled = [label * factor for label in labels]
    scale = objective.scale(scaled)
    targets = objective.targets(scaled, scale)
    expected = objective.targets(labels, objective.scale(labels))
    torch.testing.assert_close(targets, expected, rtol=0, atol=1e-5)
    answers = objective.answers(objective.predictions(targets[:, None], scale))
    assert answers == pytest.approx(scaled, rel=1e-5, abs=1e-6 * factor)


def test_the_identity_leaves_outputs_as_they_are() -> None:
    outputs = torch.randn(5, 1)
    assert torch.equal(get_objective("regression").predictions(outputs, IDENTITY), outputs)


def test_a_task_that_names_no_objective_wants_a_class() -> None:
    assert Task("t", ("text",), "label", ("a", "b"), ("accuracy",), "").objective == (
        "classification"
    )
