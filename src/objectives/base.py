"""What every objective answers: how labels become a loss, outputs become answers, answers a score.

An objective has no state and knows no network. Between a task's rows and its score stand these
steps, and each is one function of the objective:

    labels ── targets ──► loss ◄── head outputs ── predictions ──► answers ── score ──► numbers

*Labels* are what a row of data holds (a class's number, a value, a tuple of marks); *answers* have
the same form and come from a model. Runner, data, head and tables pass both on without looking
inside, so that a new kind of task is one file in this folder.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from ..errors import UnknownName

if TYPE_CHECKING:
    from torch import Tensor
else:
    # Checkers of types at run time look names up, and torch is not to be imported for them.
    Tensor = Any

Label = Any
"""A row's label, or a model's answer: anything that JSON can write."""

Metric = Callable[[Any, Any, "Question"], Any]
"""Answers, labels (both as `Objective.comparable` gives them) and the task → one number."""


@runtime_checkable
class Question(Protocol):
    """What an objective reads of a task; `data.tasks.Task` is one."""

    @property
    def name(self) -> str:
        """The task's name, for messages."""

    @property
    def text(self) -> tuple[str, ...]:
        """The text columns: one, or two for a pair."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, where there are any."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics whose mean is the task's score."""


class Stratum(NamedTuple):
    """Rows that a split divides in proportion."""

    name: str
    """For messages, such as a class's name."""
    rows: list[int]


@dataclasses.dataclass(frozen=True)
class Scale:
    """How the values of a regression are standardised: value = center + spread · output."""

    center: float = 0.0
    spread: float = 1.0

    @property
    def fits_single(self) -> bool:
        """Whether values on this scale keep their meaning in fp32, and so in a head's weights.

        fp32 holds 24 bits. A center of more than 2^10 spreads would leave less than 14 of them for
        what tells one value from another (a time stamp in seconds would be rounded to minutes).
        """
        shift, smallest, largest = abs(self.center), 1e-30, 1e30
        return smallest < self.spread < largest and shift <= 1024 * self.spread


IDENTITY = Scale()
"""The scale of outputs that already are what they should be."""


class Objective(ABC):
    """A kind of answer. Subclasses are stateless and named by their file."""

    metrics: ClassVar[Mapping[str, Metric]] = {}
    """Every metric that a task of this kind may name."""
    always: ClassVar[tuple[str, ...]] = ()
    """Metrics that are reported whatever the task names."""
    answer: ClassVar[str] = "an answer"
    """What a task of this kind asks for, as a noun with its article."""
    strata_are: ClassVar[str] = "strata"
    """What the groups of a stratified split are called."""
    kept: ClassVar[int] = 0
    """How many rows of each stratum a held-out test must leave for training."""
    counts_words: ClassVar[bool] = False
    """Whether a linear model on counts of words is a baseline; `linear_model` gives it."""
    takes_label_words: ClassVar[bool] = False
    """Whether a template may ask for the answer as one word for each class."""

    @property
    def name(self) -> str:
        """The objective's name: its file's."""
        return type(self).__module__.rpartition(".")[2]

    # --- training ---

    @abstractmethod
    def outputs(self, task: Question) -> int:
        """How many numbers the head gives for each text."""

    def scale(self, labels: Sequence[Label]) -> Scale:
        """How the training labels are standardised; nothing is, unless a subclass says so."""
        return IDENTITY

    @abstractmethod
    def targets(self, labels: Sequence[Label], scale: Scale = IDENTITY) -> Tensor:
        """Labels of a batch as the tensor that `loss` takes, first axis b."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of head outputs (b c)."""

    # --- answers ---

    @abstractmethod
    def predictions(self, outputs: Tensor, scale: Scale = IDENTITY) -> Tensor:
        """Head outputs in fp32 on the CPU (b c) → probabilities, or values on the labels' scale."""

    @abstractmethod
    def answers(self, predictions: Tensor) -> list[Label]:
        """The answer of each row: what is compared with its label."""

    @abstractmethod
    def columns(
        self, task: Question, labels: Sequence[Label], predictions: Tensor
    ) -> dict[str, list[Any]]:
        """What a file of predictions shows of each row, by column: label, prediction and more."""

    # --- scores ---

    def score(
        self, task: Question, answers: Sequence[Label], labels: Sequence[Label]
    ) -> dict[str, float]:
        """Every metric that the task names, and those that are always reported, by name.

        Raises:
            ValueError: The counts differ, or nothing is there.
        """
        if len(answers) != len(labels) or not labels:
            raise ValueError(f"as many predictions as labels: got {len(answers)} and {len(labels)}")
        ours, truth = self.comparable(answers), self.comparable(labels)
        named = dict.fromkeys((*task.metrics, *self.always))
        return {name: float(self.metric(task, name)(ours, truth, task)) for name in named}

    def metric(self, task: Question, name: str) -> Metric:
        """The metric of this name.

        Raises:
            UnknownName: There is none; the message lists those that there are.
        """
        if name not in self.metrics:
            raise UnknownName("metric", name, self.metrics)
        return self.metrics[name]

    @abstractmethod
    def comparable(self, labels: Sequence[Label]) -> Any:
        """Labels or answers in the form that the metrics take."""

    def mean_score(self, task: Question, metrics: Mapping[str, float]) -> float:
        """The task's own score: the mean of its metrics, as GLUE averages them."""
        return sum(metrics[name] for name in task.metrics) / len(task.metrics)

    def metric_name(self, task: Question) -> str:
        """What the score is called in tables."""
        names = task.metrics
        return names[0] if len(names) == 1 else f"mean({', '.join(names)})"

    # --- data ---

    def strata(self, task: Question, ids: Sequence[str], labels: Sequence[Label]) -> list[Stratum]:
        """Groups of rows that every split divides in proportion; none of them is empty."""
        return [Stratum("all rows", list(range(len(labels))))]

    # --- baselines, which train no network ---

    @abstractmethod
    def majority(self, labels: Sequence[Label]) -> Label:
        """The one answer that does best without reading any text."""

    def linear_model(self, task: Question) -> Any:
        """A scikit-learn estimator for counts of words, where `counts_words`.

        It is fitted on what `comparable` makes of labels, as an array, and predicts the same.
        """
        raise NotImplementedError(f"the objective '{self.name}' has no linear model")

    def compares_pairs(self, task: Question) -> bool:
        """Whether the similarity of a pair's two embeddings is an answer by itself."""
        return False
