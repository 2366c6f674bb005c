"""The built-in data pack: five tasks made on the spot from our own grammar and word lists.

No download and no torch. Test sentences use content words and constructions that train does not,
so that what a network learnt before counts; within train and test, words are balanced over the
classes, so that counting them tells little. Rows are the same for everyone, by a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from ...errors import UnknownName
from ..digest import digest
from ..tasks import Examples, Task, TaskData
from . import acceptability, entailment, paraphrase, sentiment, similarity
from .grammar import Row
from .meanings import Part

SOURCE = "built-in pocket data, not GLUE"
"""What every table says of these rows."""

TRAIN_ROWS, TEST_ROWS = 2000, 500

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "acceptability",
            ("sentence",),
            "label",
            ("unacceptable", "acceptable"),
            ("mcc",),
            "Is the sentence acceptable English?",
        ),
        Task(
            "sentiment",
            ("sentence",),
            "label",
            ("negative", "positive"),
            ("accuracy",),
            "Does the short review judge well, all in all?",
        ),
        Task(
            "paraphrase",
            ("sentence1", "sentence2"),
            "label",
            ("different", "same"),
            ("accuracy", "f1"),
            "Do the two sentences say the same?",
        ),
        Task(
            "entailment",
            ("premise", "hypothesis"),
            "label",
            ("entailment", "neutral", "contradiction"),
            ("accuracy",),
            "Does the hypothesis follow from the premise, contradict it, or neither?",
        ),
        Task(
            "similarity",
            ("sentence1", "sentence2"),
            "score",
            (),
            ("pearson", "spearman"),
            "How alike are two sentences in meaning, from 0 to 5?",
            objective="regression",
        ),
    )
}
"""The five tasks by name."""

_GRAMMARS: Mapping[str, Callable[[Part, int, Random], Row]] = {
    "acceptability": acceptability.draw,
    "sentiment": sentiment.draw,
    "paraphrase": paraphrase.draw,
    "entailment": entailment.draw,
    "similarity": similarity.draw,
}


def make(name: str) -> TaskData:
    """Make a pocket task with 2,000 training and 500 test rows, the same ones each time.

    Raises:
        UnknownName: No pocket task has this name.
    """
    if name not in TASKS:
        raise UnknownName("pocket task", name, TASKS)
    task = TASKS[name]
    train = _split(name, "train", TRAIN_ROWS)
    test = _split(name, "test", TEST_ROWS)
    return TaskData(task, train, test, SOURCE, digest(task, train, test, {}), {})


def _split(name: str, part: Part, count: int) -> Examples:
    """Draw rows one by one, no input twice, and shuffle them."""
    random = Random(f"tunebench {name} {part}")
    rows: dict[tuple[str, ...], float] = {}
    for index in range(count):
        while True:
            row = _GRAMMARS[name](part, index, random)
            if row.texts not in rows:
                break
        rows[row.texts] = row.label
    texts = random.sample(list(rows), count)
    ids = tuple(f"{name}-{part}-{number}" for number in range(count))
    return Examples(ids, tuple(texts), tuple(rows[pair] for pair in texts))
