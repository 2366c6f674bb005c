"""Which method to take under limits on weights, latency and memory, and how sure that is.

Of the methods that keep the limits the one with the highest score is taken, or the cheapest of
those that may be as good. A probability goes with it: of the draws of other seeds and other test
examples (`verdict/bootstrap.py`), the share in which it keeps the limits and is on the Pareto
front. Where the data cannot say there is no advice, but what would settle it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .verdict import Settlement

SURE = 0.9
"""With this probability a limit counts as kept; with the rest of it, as broken."""
MAY_BE_AS_GOOD = 0.2
"""An undecided method counts as one that may be as good where its score is above the best one's, or
less than the margin below it, in this share of the draws at least."""
CHEAPER = 0.9
"""Of two sizes the smaller counts as cheaper where it is at most this share of the other."""
FEWEST_SEEDS, MOST_SEEDS = 3, 20
"""What is proposed where there is one seed, and the most that are ever proposed."""
WHOLE_MODEL = "full"
"""The method whose every task needs a model of its own."""

Limit = Literal["weights", "latency", "memory", "score"]
Why = Literal["", "answers", "budgets", "one seed", "not measured", "limits", "noisy", "tied"]
"""Why there is no advice: answers that were not stored or altered, unequal budgets, one seed, a
limit on what was not measured, no method that keeps the limits, none that surely does, methods of
which neither score nor cost decides."""


@dataclass(frozen=True)
class Limits:
    """What may be used at most, and reached at least; none is no limit."""

    weights: float | None = None
    """Trained weights, head not counted."""
    latency: float | None = None
    """Latency of one text, in times the base model's."""
    memory: float | None = None
    """Peak memory of training, in MiB."""
    score: float | None = None
    """The least score."""
    tasks_served: int | None = None
    """Tasks that are served side by side: what is stored for all of them is then the size that
    counts."""
    backbone: int | None = None
    """Weights of the backbone, where they are known."""

    def storage(self, method: str, of_task: float) -> float:
        """Weights that are kept for all tasks: the backbone once, or a whole model for each.

        Args:
            method: Its name.
            of_task: What it keeps for one task, head included.
        """
        tasks = self.tasks_served or 1
        return tasks * of_task + (0 if method == WHOLE_MODEL else self.backbone or 0)


@dataclass(frozen=True)
class Choice:
    """One method, what it scores and costs, and whether it keeps the limits."""

    method: str
    score: float
    """Mean over seeds."""
    low: float
    """The lower end of its 95 % interval over seeds and test examples."""
    high: float
    weights: float
    """Trained weights, head not counted."""
    size: float
    """What counts as its size: the same, or what is stored for all tasks that are served."""
    latency: float | None
    """In times the base model's; none where nobody measured it."""
    memory: float | None
    """Peak memory of training in MiB."""
    keeps: float
    """The probability that it keeps the limits."""
    on_front: float
    """The probability that it is on the Pareto front of score, size, latency and memory."""
    probability: float
    """The probability of both."""
    broken: tuple[Limit, ...]
    """The limits that it does not keep as it was measured."""
    cell: str
    """Its first seed that is complete and has an adapter; empty where none has."""
    hyperparameters: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """What would settle what the data cannot say."""

    seeds: int | None
    """Seeds in all of each method; none where other methods, or other cells, are needed."""
    seconds: float | None = None
    """What the further seeds take here; none where that is not known."""
    again: bool = False
    """Whether the cells have to be made again, in another folder."""


@dataclass(frozen=True)
class Advice:
    """Which method to take, or why the data cannot say."""

    task: str
    metric: str
    limits: Limits
    choices: tuple[Choice, ...]
    """Every method that could be judged, highest score first."""
    missing: Mapping[str, str]
    """The others, and why."""
    seeds: int
    """The fewest seeds, or folds, of a method."""
    advised: Choice | None = None
    runner_up: Choice | None = None
    why: Why = ""
    """Why there is no advice; empty where there is."""
    unequal_budgets: str = ""
    """The budgets of tuning, as a sentence, where they are not equal."""
    highest: str = ""
    """The method with the highest score of those that keep the limits; empty where none does."""
    relation: Literal["", "equivalent", "undecided"] = ""
    """How the advised method stands to that one; empty where it is that one."""
    cheaper_in: Literal["", "size", "latency", "memory"] = ""
    """By what it was preferred to all that may be as good."""
    as_good: tuple[str, ...] = ()
    """Methods that may be as good as the advised one, or, without advice, as each other."""
    unclear: tuple[str, ...] = ()
    """Methods that keep the limits with a probability that is neither high nor low."""
    noisy: Limit | None = None
    """The limit that they are unclear in."""
    unmeasured: tuple[Limit, ...] = ()
    """Limits on what was not measured."""
    run: Run | None = None
    """What would settle it; none where no run would, or nothing is open."""
    settlement: Settlement | None = None
    """What would decide between the methods that may be as good, where that is open."""

    def choice(self, method: str) -> Choice | None:
        """What is known of a method."""
        return next((one for one in self.choices if one.method == method), None)
