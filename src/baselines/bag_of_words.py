"""Rows that need no network: the majority class and a bag of words.

    min over W, c of  1/2 |W|^2 + sum_i loss(x_i W + c, y_i)

with the multinomial logistic loss for classes (ridge's half squared error for a regression). The
objective is convex, so L-BFGS from zero ends at the one optimum and no seed is needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..data.tasks import Examples, Task, TaskData
from ..objectives import get_objective
from ..records import Reference

_WORD = re.compile(r"\w+(?:'\w+)?")
_STEPS = 300

Feature = tuple[str, str]
"""Where a word was seen ("0", "1" or "shared") and the word; ("shared", "") counts them all."""


def majority(data: TaskData) -> Reference:
    """Answer every test row alike, with what does best on the training labels."""
    constant = get_objective(data.task.objective).majority(data.train.labels)
    return _reference("majority", data, [constant] * len(data.test))


def bag_of_words(data: TaskData) -> Reference:
    """Train on word counts of `data.train` and answer `data.test`.

    A pair counts the words of its first text, of its second and those they share, apart. Test
    words that train does not have are left out.
    """
    rows = [features(texts) for texts in data.train.texts]
    known = {feature: place for place, feature in enumerate(sorted({f for r in rows for f in r}))}
    x = matrix(rows, known)
    weight, bias = fit(x, data.train, data.task)
    answers = predict(matrix(map(features, data.test.texts), known), weight, bias, data.task)
    return _reference("bag of words", data, answers)


def features(texts: Sequence[str]) -> Counter[Feature]:
    """Count the words of one text, or of two and what they share."""
    bags = [Counter(_WORD.findall(text.lower())) for text in texts]
    counted = Counter({(str(n), word): k for n, bag in enumerate(bags) for word, k in bag.items()})
    if len(bags) > 1:
        shared = bags[0] & bags[1]
        counted.update({("shared", word): count for word, count in shared.items()})
        counted[("shared", "")] = shared.total()
    return counted


def matrix(rows: Iterable[Counter[Feature]], known: dict[Feature, int]) -> Tensor:
    """The counts as a sparse matrix, one row an example, one column a known feature."""
    cells: list[tuple[int, int, int]] = []
    height = 0
    for row in rows:
        cells.extend((height, known[f], count) for f, count in row.items() if f in known)
        height += 1
    place = torch.tensor([cell[:2] for cell in cells], dtype=torch.int64).reshape(-1, 2).T
    value = torch.tensor([cell[2] for cell in cells], dtype=torch.float64)
    size = (height, len(known))
    return torch.sparse_coo_tensor(place, value, size, check_invariants=True).coalesce()


def fit(
    x: Tensor, train: Examples, task: Task, *, penalty: float = 1.0
) -> tuple[Float[Tensor, "features outputs"], Float[Tensor, " outputs"]]:
    """Minimise the penalised loss over weights and an unpenalised bias, in float64.

    Args:
        x: Sparse counts, one row an example.
        train: The examples, whose labels are fitted.
        task: Says whether the labels are classes or values.
        penalty: The factor of half the weights' squared norm.
    """
    objective = get_objective(task.objective)
    y, outputs = objective.comparable(train.labels), objective.outputs(task)
    weight = torch.zeros(x.shape[1], outputs, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_STEPS,
        history_size=20,
        tolerance_grad=1e-6,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        scores = torch.sparse.mm(x, weight) + bias
        error = (
            (scores[:, 0] - y).square().sum() / 2
            if task.objective == "regression"
            else functional.cross_entropy(scores, y, reduction="sum")
        )
        total = error + penalty * weight.square().sum() / 2
        total.backward()
        return float(total.detach())

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def predict(x: Tensor, weight: Tensor, bias: Tensor, task: Task) -> list[float]:
    """Class numbers, or the values of a regression."""
    scores = torch.sparse.mm(x, weight) + bias
    found = scores[:, 0] if task.objective == "regression" else scores.argmax(dim=1)
    return [float(value) for value in found]


def _reference(name: str, data: TaskData, answers: Sequence[float]) -> Reference:
    objective = get_objective(data.task.objective)
    metrics = objective.score(data.task, answers, data.test.labels)
    total = objective.mean_score(data.task, metrics)
    return Reference(data.task.name, name, total, metrics.get("accuracy"), metrics)
