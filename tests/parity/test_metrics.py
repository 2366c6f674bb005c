"""GLUE's metrics against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from tunebench.data.tasks import GLUE, Task
from tunebench.objectives import get_objective


def score(task: Task, answers: list[float], labels: list[float]) -> dict[str, float]:
    return get_objective(task.objective).score(task, answers, labels)


def task(classes: int, *metrics: str) -> Task:
    labels = tuple(f"c{number}" for number in range(classes))
    return Task("made-up", ("text",), "label", labels, metrics, "")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3])
def test_classes_are_scored_as_scikit_learn_scores_them(classes, seed):
    generator = np.random.default_rng(seed)
    y, p = generator.integers(classes, size=(2, 40))
    names = ("mcc", "accuracy", *(["f1"] if classes == 2 else []))
    scores = score(task(classes, *names), p.tolist(), y.tolist())
    assert scores["accuracy"] == pytest.approx(accuracy_score(y, p), abs=1e-6)
    assert scores["mcc"] == pytest.approx(matthews_corrcoef(y, p), abs=1e-6)
    if classes == 2:
        assert scores["f1"] == pytest.approx(f1_score(y, p), abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("constant", [0, 1])
def test_constant_predictions_are_scored_as_scikit_learn_scores_them(classes, constant):
    y = np.random.default_rng(0).integers(classes, size=30)
    p = np.full(30, constant)
    names = ("mcc", "f1") if classes == 2 else ("mcc",)
    scores = score(task(classes, *names), p.tolist(), y.tolist())
    assert scores["mcc"] == matthews_corrcoef(y, p) == 0
    assert scores["accuracy"] == pytest.approx(accuracy_score(y, p), abs=1e-6)
    if classes == 2:
        assert scores["f1"] == pytest.approx(f1_score(y, p, zero_division=0), abs=1e-6)


@pytest.mark.parametrize("p", [[0, 0, 0], [1, 1, 1], [0, 1, 1]])
def test_constant_labels_are_scored_as_scikit_learn_scores_them(p):
    y = [1, 1, 1]
    scores = score(task(2, "mcc", "f1"), p, y)
    assert scores["f1"] == pytest.approx(f1_score(y, p, zero_division=0), abs=1e-6)
    assert scores["accuracy"] == pytest.approx(accuracy_score(y, p), abs=1e-6)
    assert scores["mcc"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_values_are_scored_as_scipy_scores_them(seed):
    generator = np.random.default_rng(seed)
    y = np.round(generator.uniform(0, 5, 50) * 4) / 4
    p = y + generator.normal(0, 2, 50)
    if seed % 2:
        p = np.round(p)
    scores = score(GLUE["stsb"], p.tolist(), y.tolist())
    assert scores.keys() == {"pearson", "spearman"}
    assert scores["pearson"] == pytest.approx(pearsonr(y, p).statistic, abs=1e-6)
    assert scores["spearman"] == pytest.approx(spearmanr(y, p).statistic, abs=1e-6)
    assert get_objective("regression").mean_score(GLUE["stsb"], scores) == pytest.approx(
        sum(scores.values()) / 2
    )


@pytest.mark.parametrize(
    "p", [[2.5] * 4, [0.1] * 4, [1e8, 1e8, 1e8, 1e8]], ids=["half", "no binary number", "large"]
)
def test_a_constant_correlates_with_nothing(p):
    assert score(GLUE["stsb"], p, [0.0, 1.0, 2.0, 5.0]) == {"pearson": 0.0, "spearman": 0.0}


def test_values_that_lie_close_together_are_still_correlated():
    y = [0.0, 1.0, 2.0, 5.0, 3.0]
    p = [2.5 + 1e-4 * value for value in (0.1, 0.9, 2.2, 4.0, 3.5)]
    scores = score(GLUE["stsb"], p, y)
    assert scores["pearson"] == pytest.approx(pearsonr(y, p).statistic, abs=1e-6)


def test_every_task_of_glue_is_scored_by_its_own_metrics():
    for name, known in GLUE.items():
        y = [0.0, 1.0, 1.0, 0.0]
        scores = score(known, [0.0, 1.0, 0.0, 0.0], y)
        assert set(known.metrics) <= set(scores), name
        assert ("accuracy" in scores) == (known.objective == "classification")
    objective = get_objective("classification")
    assert objective.metric_name(GLUE["mrpc"]) == "mean(accuracy, f1)"
    assert objective.metric_name(GLUE["cola"]) == "mcc"


@pytest.mark.parametrize(
    ("p", "y", "text"),
    [
        ([1], [1, 0], "as many predictions as labels: got 1 and 2"),
        ([], [], "got 0 and 0"),
        ([float("nan")], [1], "finite"),
    ],
)
def test_what_cannot_be_scored_is_refused(p, y, text):
    with pytest.raises(ValueError, match=text):
        score(GLUE["stsb"], p, y)
