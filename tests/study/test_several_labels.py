"""A new kind of task is one file: several labels at once are trained, scored, stored and shown."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score
from tunebench import load_predictor, objectives
from tunebench.config import SearchSettings
from tunebench.data.digest import digest
from tunebench.data.tasks import Examples, Task, TaskData
from tunebench.errors import UnknownName, UserError
from tunebench.objectives import get_objective, names
from tunebench.study.compare import compare

from tests import small

SEVERAL = '''"""Several labels at once: each class is there or not."""

from collections import Counter

from tunebench.objectives.base import IDENTITY, Objective


def _micro_f1(answers, labels, task):
    from torchmetrics.functional.classification import multilabel_f1_score

    return multilabel_f1_score(answers, labels, num_labels=len(task.labels), average="micro")


class SeveralLabels(Objective):
    metrics = {"micro_f1": _micro_f1}
    answer = "several classes at once"
    counts_words = True

    def outputs(self, task):
        return len(task.labels)

    def targets(self, labels, scale=IDENTITY):
        import torch

        return torch.tensor(labels, dtype=torch.float32)

    def loss(self, outputs, targets):
        from torch.nn import functional as F

        return F.binary_cross_entropy_with_logits(outputs, targets)

    def predictions(self, outputs, scale=IDENTITY):
        return outputs.sigmoid()

    def answers(self, predictions):
        return [tuple(row) for row in (predictions >= 0.5).long().tolist()]

    def columns(self, task, labels, predictions):
        def shown(marks):
            return ", ".join(name for name, mark in zip(task.labels, marks) if mark)

        return {
            "label": [shown(marks) for marks in labels],
            "prediction": [shown(marks) for marks in self.answers(predictions)],
            **{f"probability_{n}": predictions[:, i].tolist() for i, n in enumerate(task.labels)},
        }

    def comparable(self, labels):
        import torch

        return torch.tensor(labels, dtype=torch.int64)

    def majority(self, labels):
        return Counter(labels).most_common(1)[0][0]

    def linear_model(self, task):
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        return OneVsRestClassifier(LogisticRegression())


OBJECTIVE = SeveralLabels
'''
CLASSES = ("good", "film", "long")


@pytest.fixture
def several(tmp_path: Path) -> Iterator[str]:
    """The objective's name, while its file's folder belongs to the registry."""
    folder = tmp_path / "kinds"
    folder.mkdir()
    (folder / "several_labels.py").write_text(SEVERAL)
    objectives.__path__.append(str(folder))
    get_objective.cache_clear()
    yield "several_labels"
    objectives.__path__.remove(str(folder))
    get_objective.cache_clear()
    sys.modules.pop("tunebench.objectives.several_labels", None)


def rows(examples: Examples, count: int) -> Examples:
    """Reviews, with three marks each: their class, and two bits of their length."""
    taken = examples.take(list(range(count)))
    labels = tuple(
        (int(label), len(texts[0]) % 2, len(texts[0]) // 2 % 2)
        for texts, label in zip(taken.texts, taken.labels, strict=True)
    )
    return dataclasses.replace(taken, labels=labels)


def task_data(objective: str) -> TaskData:
    """Sixty rows to train on and thirty to test."""
    from tunebench.data.pocket import make

    data = make("sentiment")
    train, test = rows(data.train, 60), rows(data.test, 30)
    task = Task("kinds", ("text",), "kinds", CLASSES, ("micro_f1",), "", objective=objective)
    return TaskData(task, train, test, "made up", digest(task, train, test, {}), {})


def test_a_new_file_is_an_objective(several: str) -> None:
    assert several in names()
    assert get_objective(several).name == several


def test_the_registry_forgets_what_was_taken_out() -> None:
    assert names() == ("classification", "regression")
    with pytest.raises(UnknownName, match="classification, regression"):
        get_objective("several_labels")


@pytest.mark.usefixtures("several")
def test_several_labels_are_trained_scored_stored_and_shown(
    several: str, checkpoint: Path, out: Path
) -> None:
    data = task_data(several)
    budget = SearchSettings(trials=1, trial_epochs=1, epochs=12)
    experiment = small.experiment(checkpoint, out, tasks=("kinds",), search=budget)
    comparison = compare(experiment, data=(data,))
    assert [row.status for row in comparison.results] == ["complete", "complete"]
    for row in comparison.results:
        table = pq.read_table(out / row.predictions).to_pydict()
        marks = [
            [int(name in cell.split(", ")) for name in CLASSES] for cell in table["prediction"]
        ]
        oracle = f1_score(
            np.array(data.test.labels), np.array(marks), average="micro", zero_division=0
        )
        assert row.metric == "micro_f1"
        assert row.score == pytest.approx(oracle, abs=1e-6)
        assert row.accuracy is None
        for at, name in enumerate(CLASSES):
            likely = [int(p >= 0.5) for p in table[f"probability_{name}"]]
            assert likely == [row_marks[at] for row_marks in marks]
        assert row.curve.loss[-1] < row.curve.loss[0]
    untrained = {row.name: row.score for row in comparison.references}
    assert untrained.keys() == {"majority", "bag of words"}
    assert untrained["bag of words"] > 0.5
    assert r"micro\_f1" in (out / "report.md").read_text()


@pytest.mark.usefixtures("several")
def test_a_template_is_refused_where_no_word_answers(
    several: str, checkpoint: Path, out: Path
) -> None:
    data = dataclasses.replace(small.experiment(checkpoint, out).data, template=("{text} is",))
    experiment = small.experiment(checkpoint, out, tasks=("kinds",), data=data)
    with pytest.raises(UserError, match="kinds asks for several classes at once, which no label"):
        compare(experiment, data=(task_data(several),))


@pytest.mark.usefixtures("several")
def test_a_trained_adapter_names_several_labels_of_new_texts(
    several: str, checkpoint: Path, out: Path
) -> None:
    data = task_data(several)
    budget = SearchSettings(trials=1, trial_epochs=1, epochs=12)
    methods = {"lora": {}}
    experiment = small.experiment(checkpoint, out, tasks=("kinds",), search=budget, methods=methods)
    (row,) = compare(experiment, data=(data,)).results
    stored = pq.read_table(out / row.predictions).to_pylist()
    for run in ("best", row.cell, out / row.adapter):
        predictor = load_predictor(run, out)
        assert predictor.notes == () or run == "best"
        answers = predictor.predict(data.test.texts)
        assert [answer.label for answer in answers] == [one["prediction"] for one in stored]
        for answer, one in zip(answers, stored, strict=True):
            assert answer.probabilities == pytest.approx(
                {name: one[f"probability_{name}"] for name in CLASSES}, abs=1e-6
            )
            likely = [name for name, p in answer.probabilities.items() if p >= 0.5]
            assert answer.label == ", ".join(likely)
    # The answers depend on the texts.
    assert len({answer.probabilities["good"] for answer in answers}) > len(answers) // 2
    assert any(", " in answer.label for answer in answers)
