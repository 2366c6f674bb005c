"""Baselines that need no network: the majority answer, and a linear model on counts of words.

The objective says which answer is the majority's and which linear model fits its labels; the model
is scikit-learn's, in float64. Its problem is convex, so it ends at the one optimum, and no seed is
needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ..data.tasks import TaskData
from ..objectives import Label, get_objective
from ..records import Reference

_WORD = re.compile(r"\w+(?:'\w+)?")

Feature = tuple[str, str]
"""Where a word was seen ("0", "1" or "shared") and the word; ("shared", "") counts them all."""


NOTHING: dict[Feature, int] = {("", ""): 0}
"""A feature that no text has."""


def majority(data: TaskData) -> Reference:
    """Answer every test row alike, with what does best on the training labels."""
    constant = get_objective(data.task.objective).majority(data.train.labels)
    return _reference("majority", data, [constant] * len(data.test))


def bag_of_words(data: TaskData) -> Reference:
    """Train on word counts of `data.train` and answer `data.test`.

    A pair counts the words of its first text, of its second and those they share, apart. Test
    words that train does not have are left out.
    """
    # Here, for scikit-learn takes a second to import, and a stored row needs none of it.
    from sklearn.feature_extraction import DictVectorizer

    objective = get_objective(data.task.objective)
    model = objective.linear_model(data.task)
    vectorizer = DictVectorizer()
    # Texts of emoji have no word at all, but a column is needed: one of zeros says nothing.
    vectorizer.fit([features(texts) for texts in data.train.texts] + [NOTHING])
    counts = vectorizer.transform([features(texts) for texts in data.train.texts])
    model.fit(counts, objective.comparable(data.train.labels).numpy())
    unseen = vectorizer.transform([features(texts) for texts in data.test.texts])
    return _reference("bag of words", data, model.predict(unseen).tolist())


def features(texts: Sequence[str]) -> Counter[Feature]:
    """Count the words of one text, or of two and what they share."""
    bags = [Counter(_WORD.findall(text.lower())) for text in texts]
    counted = Counter({(str(n), word): k for n, bag in enumerate(bags) for word, k in bag.items()})
    if len(bags) > 1:
        shared = bags[0] & bags[1]
        counted.update({("shared", word): count for word, count in shared.items()})
        counted[("shared", "")] = shared.total()
    return counted


def _reference(name: str, data: TaskData, answers: Sequence[Label]) -> Reference:
    objective = get_objective(data.task.objective)
    metrics = objective.score(data.task, answers, data.test.labels)
    total = objective.mean_score(data.task, metrics)
    return Reference(data.task.name, name, total, metrics.get("accuracy"), metrics)
