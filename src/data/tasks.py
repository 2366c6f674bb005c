"""What a task is, the table of GLUE's nine, and which names mean what.

Nothing here imports torch: the command line lists tasks at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ..errors import UnknownName
from ..objectives import Label
from ..records import Fold


@dataclass(frozen=True)
class Task:
    """One question put to a text or to a pair of texts."""

    name: str
    text: tuple[str, ...]
    """The text column, or the two of a pair."""
    label: str
    """The label column."""
    labels: tuple[str, ...]
    """The names of the classes in the order of their numbers; empty where there are none."""
    metrics: tuple[str, ...]
    """Names of the objective's metrics; a task's score is their mean (as GLUE averages them)."""
    about: str
    """One line for people."""
    folder: str = ""
    """The folder in GLUE's official archive."""
    objective: str = "classification"
    """What kind of answer is asked for: a file's name in `objectives/`."""


@dataclass(frozen=True, repr=False)
class Examples:
    """The rows of one split, in file order."""

    ids: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    """For each row its text, or its two."""
    labels: tuple[Label, ...]
    """For each row its label, in the form that the task's objective gives labels."""
    lines: tuple[int, ...] = ()
    """For each row the line of its file where it begins; empty where rows come from no file."""
    own_ids: tuple[str, ...] = ()
    """For each row what its own file calls it, in a column `id`; empty without such a column."""

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.ids)

    def __repr__(self) -> str:
        """How many rows there are; a notebook should not print them all."""
        return f"Examples({len(self)} rows)"

    def take(self, rows: list[int]) -> Examples:
        """These rows, in this order."""
        return Examples(
            tuple(self.ids[i] for i in rows),
            tuple(self.texts[i] for i in rows),
            tuple(self.labels[i] for i in rows),
            tuple(self.lines[i] for i in rows if self.lines),
            tuple(self.own_ids[i] for i in rows if self.own_ids),
        )

    def joined(self, other: Examples) -> Examples:
        """The rows of both, these first."""
        both = (getattr(self, field.name) + getattr(other, field.name) for field in fields(self))
        return Examples(*both)

    def origin(self) -> dict[str, list[object]]:
        """Columns that say which row of a user's file each is: its id, and its line if known."""
        columns: dict[str, list[object]] = {"id": list(self.own_ids or self.ids)}
        return columns | ({"line": list(self.lines)} if self.lines else {})


@dataclass(frozen=True, repr=False)
class TaskData:
    """A task with its rows: `train` may be selected on, `test` is touched once by each winner."""

    task: Task
    train: Examples
    test: Examples
    source: str
    """What every table says of the data, such as "GLUE (official split)" or
    "built-in pocket data, not GLUE"."""
    digest: str
    """sha256 over the task and all rows: a changed file is other data."""
    extra_tests: Mapping[str, Examples]
    """Further test sets by name (MNLI's mismatched), reported beside the first."""
    notes: tuple[str, ...] = ()
    """What a reader should know, such as a missing mismatched set or repeated rows."""
    fold: Fold | None = None
    """Which round of a cross-validation this is; none for a task with one test split."""

    def __repr__(self) -> str:
        """The task, its rows and their source, on one line."""
        rows = f"{len(self.train)} train and {len(self.test)} test rows"
        return f"TaskData({self.task.name!r}, {rows}, {self.source!r})"


class LoadedTasks(tuple[TaskData, ...]):
    """The tasks of a comparison with their rows, and those of a suite that could not be read."""

    left_out: Mapping[str, str]
    """Task → why it is not there."""

    def __new__(
        cls, tasks: Iterable[TaskData], left_out: Mapping[str, str] | None = None
    ) -> LoadedTasks:
        """The tasks in the order of mention."""
        loaded = super().__new__(cls, tasks)
        loaded.left_out = left_out or {}
        return loaded


def left_out_of(data: Sequence[TaskData]) -> Mapping[str, str]:
    """What was asked for beside these tasks and could not be read: task → why."""
    return data.left_out if isinstance(data, LoadedTasks) else {}


_ABOUT: Mapping[str, str] = {
    "cola": "Is the sentence acceptable English?",
    "sst2": "Does the phrase of a film review speak well of the film?",
    "mrpc": "Do two sentences from the news say the same?",
    "qqp": "Do two Quora questions ask the same?",
    "stsb": "How alike are two sentences, from 0 to 5?",
    "mnli": "Does the second sentence follow from the first, contradict it, or neither?",
    "qnli": "Does the sentence hold the answer to the question?",
    "rte": "Does the second text follow from the first?",
    "wnli": "Does the sentence follow once its pronoun is resolved?",
}


def _glue(
    name: str,
    folder: str,
    text: tuple[str, ...],
    label: str,
    labels: tuple[str, ...],
    metrics: tuple[str, ...] = ("accuracy",),
    objective: str = "classification",
) -> Task:
    return Task(name, text, label, labels, metrics, _ABOUT[name], folder, objective)


_PAIR = ("sentence1", "sentence2")
_STRINGS, _QUESTIONS = ("#1 String", "#2 String"), ("question1", "question2")
_FOLLOWS = ("entailment", "not_entailment")
_THREE_WAYS = ("entailment", "neutral", "contradiction")
_BOTH = ("accuracy", "f1")
_CORRELATIONS = ("pearson", "spearman")

_GLUE = (
    _glue("cola", "CoLA", ("sentence",), "label", ("unacceptable", "acceptable"), ("mcc",)),
    _glue("sst2", "SST-2", ("sentence",), "label", ("negative", "positive")),
    _glue("mrpc", "MRPC", _STRINGS, "Quality", ("not_equivalent", "equivalent"), _BOTH),
    _glue("qqp", "QQP", _QUESTIONS, "is_duplicate", ("not_duplicate", "duplicate"), _BOTH),
    _glue("stsb", "STS-B", _PAIR, "score", (), _CORRELATIONS, "regression"),
    _glue("mnli", "MNLI", _PAIR, "gold_label", _THREE_WAYS),
    _glue("qnli", "QNLI", ("question", "sentence"), "label", _FOLLOWS),
    _glue("rte", "RTE", _PAIR, "label", _FOLLOWS),
    _glue("wnli", "WNLI", _PAIR, "label", ("not_entailment", "entailment")),
)

GLUE: Mapping[str, Task] = {task.name: task for task in _GLUE}
"""GLUE's nine tasks (Wang et al. 2019); columns as in the official files, classes numbered as in
the hub's `nyu-mll/glue`."""

SUITES: Mapping[str, tuple[str, ...]] = {
    "glue": tuple(GLUE),
    "pocket": ("acceptability", "sentiment", "paraphrase", "entailment", "similarity"),
}
"""Names that stand for several tasks."""

STAND_INS: Mapping[str, str] = {
    "cola": "acceptability",
    "sst2": "sentiment",
    "mrpc": "paraphrase",
    "qqp": "paraphrase",
    "stsb": "similarity",
    "mnli": "entailment",
    "qnli": "entailment",
    "rte": "entailment",
    "wnli": "entailment",
}
"""The pocket task that is run where a GLUE task was asked for and only pocket data is there."""

TABLE_ENDINGS = (".tsv", ".csv", ".jsonl")
"""How the name of a user's own file may end."""


def task_names() -> tuple[str, ...]:
    """All built-in tasks, GLUE's first."""
    return tuple(name for members in SUITES.values() for name in members)


def get_task(name: str) -> Task:
    """The built-in task of this name.

    Raises:
        UnknownName: for any other name, suites included.
    """
    if name in GLUE:
        return GLUE[name]
    from .pocket import TASKS  # here, for pocket itself builds on this module's Task

    if name not in TASKS:
        raise UnknownName("task", name, task_names())
    return TASKS[name]


def expand(names: Sequence[str]) -> tuple[str, ...]:
    """The tasks meant by `names`: suites opened, each task once, in the order of mention.

    Raises:
        UnknownName: for a name that is neither a task nor a suite; it lists both.
    """
    known = (*task_names(), *SUITES)
    for name in names:
        if name not in known:
            raise UnknownName("task", name, known)
    return tuple(dict.fromkeys(one for name in names for one in SUITES.get(name, (name,))))


def is_file(name: str) -> bool:
    """Whether a task's name means a user's own file: by its ending, a slash, or being there.

    A built-in name is never a file, whatever lies in the working folder.
    """
    if name in SUITES or name in task_names():
        return False
    ending = Path(name).suffix.lower()
    return ending in TABLE_ENDINGS or "/" in name or os.sep in name or os.path.isfile(name)
