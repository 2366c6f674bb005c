"""Classification: each text belongs to one of the task's classes.

    loss = - log softmax(outputs)[label]          answer = argmax outputs

A label is the number of its class, as a float. Metrics are those of torchmetrics; `f1` is that of
the second class, as GLUE defines it, and `f1:NAME` that of the class of this name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UnknownName
from .base import IDENTITY, Label, Metric, Objective, Question, Scale, Stratum

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any


def _accuracy(answers: Tensor, labels: Tensor, task: Question) -> Tensor:
    return (answers == labels).double().mean()


def _f1(answers: Tensor, labels: Tensor, task: Question) -> Tensor:
    from torchmetrics.functional.classification import binary_f1_score

    return binary_f1_score(answers, labels)


def _macro_f1(answers: Tensor, labels: Tensor, task: Question) -> Tensor:
    from torchmetrics.functional.classification import multiclass_f1_score

    # torchmetrics wants two classes at least.
    classes = max(2, len(task.labels))
    return multiclass_f1_score(answers, labels, num_classes=classes, average="macro")


def _balanced_accuracy(answers: Tensor, labels: Tensor, task: Question) -> float:
    """The mean over the classes that occur of the share of their rows that is recognised."""
    occurring = [number for number in range(len(task.labels)) if (labels == number).any()]
    recalls = [float((answers[labels == c] == c).double().mean()) for c in occurring]
    return sum(recalls) / len(recalls)


def _f1_of(number: int) -> Metric:
    """F1 of one class against all others."""

    def f1(answers: Tensor, labels: Tensor, task: Question) -> Tensor:
        return _f1((answers == number).long(), (labels == number).long(), task)

    return f1


def _mcc(answers: Tensor, labels: Tensor, task: Question) -> Tensor | float:
    from torchmetrics.functional import matthews_corrcoef

    # 0/0 where either is constant: GLUE's own scorer takes 0, torchmetrics something else.
    if (answers == answers[0]).all() or (labels == labels[0]).all():
        return 0.0
    return matthews_corrcoef(answers, labels, task="multiclass", num_classes=len(task.labels))


class Classification(Objective):
    """One of several classes."""

    metrics: ClassVar[Mapping[str, Metric]] = {
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "f1": _f1,
        "macro_f1": _macro_f1,
        "mcc": _mcc,
    }
    always = ("accuracy",)
    answer = "a class"
    counts_words = True
    strata_are = "classes"
    kept = 2
    takes_label_words = True

    def outputs(self, task: Question) -> int:
        """One logit a class."""
        return len(task.labels)

    def targets(self, labels: Sequence[Label], scale: Scale = IDENTITY) -> Tensor:
        """Class numbers as int64 (b)."""
        import torch

        return torch.tensor(labels, dtype=torch.int64)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy."""
        from torch.nn import functional as F

        return F.cross_entropy(outputs, targets)

    def predictions(self, outputs: Tensor, scale: Scale = IDENTITY) -> Tensor:
        """The probability of each class."""
        return outputs.softmax(-1)

    def answers(self, predictions: Tensor) -> list[Label]:
        """The likeliest class."""
        likeliest: list[Label] = predictions.argmax(-1).tolist()
        return likeliest

    def columns(
        self, task: Question, labels: Sequence[Label], predictions: Tensor
    ) -> dict[str, list[Any]]:
        """The names of the true and the predicted class, and a probability for each class."""
        names = task.labels
        return {
            "label": [names[int(label)] for label in labels],
            "prediction": [names[int(answer)] for answer in self.answers(predictions)],
            **{
                f"probability_{name}": predictions[:, number].tolist()
                for number, name in enumerate(names)
            },
        }

    def metric(self, task: Question, name: str) -> Metric:
        """The metric of this name; `f1:urgent` is that of the class `urgent`."""
        kind, colon, wanted = name.partition(":")
        if not colon and name in task.labels and name not in self.metrics:
            raise UnknownName("metric", name, [*self.metrics, f"f1:{name}"])
        if not colon:
            return super().metric(task, name)
        if kind != "f1" or wanted not in task.labels:
            known = [*self.metrics, *(f"f1:{label}" for label in task.labels)]
            raise UnknownName("metric", name, known)
        return _f1_of(task.labels.index(wanted))

    def comparable(self, labels: Sequence[Label]) -> Tensor:
        """Class numbers as int64."""
        return self.targets(labels)

    def strata(self, task: Question, ids: Sequence[str], labels: Sequence[Label]) -> list[Stratum]:
        """The rows of each class that occurs."""
        members: dict[Label, list[int]] = {}
        for row, label in enumerate(labels):
            members.setdefault(label, []).append(row)
        return [Stratum(task.labels[int(label)], members[label]) for label in sorted(members)]

    def majority(self, labels: Sequence[Label]) -> Label:
        """The most frequent class, the first of equals."""
        counts = Counter(labels)
        return max(sorted(counts), key=lambda label: counts[label])

    def linear_model(self, task: Question) -> Any:
        """Multinomial logistic regression with the penalty 1/2 |W|^2, a column of W each class.

        For two classes scikit-learn keeps one column w, where the others are w/2 and -w/2: its
        penalty is twice as large, and twice the C makes up for it.
        """
        from sklearn.linear_model import LogisticRegression

        strength = 2.0 if len(task.labels) == 2 else 1.0
        return LogisticRegression(C=strength, solver="newton-cg", tol=1e-8, max_iter=1000)


OBJECTIVE = Classification
