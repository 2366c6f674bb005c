"""What is known of the methods of one task, pair by pair; `pairs.py` finds it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from .letters import letters
from .settle import Question, Settlement, settlement, smallest_seen

Verdict = Literal["better", "equivalent", "undecided", "examples alone"]

LEVEL = 0.05
"""The family-wise error that Holm keeps over the pairs of a task, and what intervals leave out."""
MARGIN = 0.01
"""One point: differences within it count as none, unless a user says otherwise."""


@dataclass(frozen=True)
class Pair:
    """Two methods on one task."""

    task: str
    metric: str
    a: str
    b: str
    difference: float
    """Mean score of a less that of b, over the seeds that both have."""
    low: float
    """The lower end of the 95 % interval, for this pair by itself."""
    high: float
    p: float
    """Two-sided p of no difference; with one seed, from the test examples alone."""
    p_holm: float
    """The same, adjusted over the pairs of the task."""
    p_equivalence: float
    """p of two one-sided tests that they differ by less than the margin, adjusted likewise."""
    verdict: Verdict
    seeds: int
    searches: int
    """How many searches these seeds have their settings from. With one, all of this holds for the
    settings that it found; with several, each of them counts as one repetition."""
    examples: int
    question: Question = field(repr=False, compare=False)
    """What `smallest_seen` and `to_decide` follow from."""

    @cached_property
    def smallest_seen(self) -> float | None:
        """The smallest difference that this study would have found with 80 % power.

        None where there is one repetition.
        """
        return None if self.question.crossed.seeds == 1 else smallest_seen(self.question)

    @cached_property
    def to_decide(self) -> Settlement | None:
        """What would settle it; none where it is decided."""
        return None if self.verdict in ("better", "equivalent") else settlement(self.question)

    @property
    def better(self) -> str:
        """The better method; empty where the verdict is another."""
        if self.verdict != "better":
            return ""
        return self.a if self.difference > 0 else self.b

    @property
    def worse(self) -> str:
        """The other of a pair that is decided; empty where the verdict is another."""
        if self.verdict != "better":
            return ""
        return self.b if self.difference > 0 else self.a


@dataclass(frozen=True)
class Unpaired:
    """Two methods that were not compared."""

    a: str
    b: str
    reason: str
    """Why, as a sentence."""
    ranked: bool = True
    """Whether their scores may stand beside each other all the same."""


@dataclass(frozen=True)
class TaskVerdict:
    """What seeds and test examples say about the methods of one task."""

    task: str
    metric: str
    """The name of the score; empty where no method has one that can be used."""
    margin: float
    pairs: tuple[Pair, ...]
    """In the order of the methods."""
    unpaired: tuple[Unpaired, ...]
    letters: Mapping[str, str]
    """Method → tie groups, "a" with the best: methods share a letter if and only if neither is
    shown to be better. Empty where no pair has two seeds."""
    reason: str
    """Why pairs are missing, or rest on one seed, in sentences; empty where all is there."""

    def pair(self, first: str, second: str) -> Pair | None:
        """The pair of two methods, in either order; none where they were not compared."""
        wanted = {first, second}
        return next((pair for pair in self.pairs if {pair.a, pair.b} == wanted), None)

    def rankable(self, methods: Sequence[str]) -> tuple[str, ...]:
        """Those of some methods whose scores may be ranked: the largest group of one kind.

        Empty where no two of several may: they have other metrics or test sets, or their answers
        do not give their scores.
        """
        apart = {frozenset((one.a, one.b)) for one in self.unpaired if not one.ranked}
        groups: list[list[str]] = []
        for method in methods:
            fitting = (group for group in groups if frozenset((method, group[0])) not in apart)
            group = next(fitting, None)
            if group is None:
                groups.append([method])
            else:
                group.append(method)
        largest = max(groups, key=len, default=[])
        return tuple(largest) if len(largest) > 1 or len(methods) == 1 else ()


def with_pairs(of: TaskVerdict, pairs: Sequence[Pair]) -> TaskVerdict:
    """The verdict with other pairs, and the letters that follow from them."""
    separated = [(pair.better, pair.worse) for pair in pairs if pair.better]
    return replace(of, pairs=tuple(pairs), letters=letters(list(of.letters), separated))
