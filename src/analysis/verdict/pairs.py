"""All pairs of methods on a task: difference, interval, p, and one of three verdicts.

The family is the task's pairs: Holm keeps the chance of a single wrong "better" among them at 5 %,
and that of a single wrong "equivalent" likewise. What is neither is undecided, which is not
"equal": a test that fails to reject has shown nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

from ...errors import UserError
from ..cells import Cell
from ..metric_range import clipped_difference
from . import holm
from .crossed import Crossed, crossed
from .letters import letters
from .matching import Scored, matched, scored
from .pseudo_values import CannotPair, CannotRank
from .reasons import reason_of
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


class _Compared(NamedTuple):
    """A pair before the family is known."""

    a: Scored
    b: Scored
    seeds: int
    crossed: Crossed


def verdict(
    cells: Sequence[Cell],
    task: str,
    margin: float = MARGIN,
    level: float = LEVEL,
    budgets: Mapping[str, str] | None = None,
) -> TaskVerdict:
    """Compare every two methods of a task over the seeds and test examples that they share.

    Args:
        cells: The cells of a comparison; those of other tasks are passed over.
        task: The task's name.
        margin: Differences within ± margin count as none, on the scale of the score.
        level: The family-wise error that is allowed, of wrong differences and of wrong
            equivalences each. Intervals leave out 5 % whatever it is.
        budgets: Method → its budget of tuning in words; methods of different ones are not compared.

    Raises:
        UserError: The margin is not a number above 0.
    """
    methods, usable, unusable = scored_methods(cells, task)
    return verdict_of(methods, usable, unusable, task, margin, level, budgets)


def scored_methods(
    cells: Sequence[Cell], task: str
) -> tuple[list[str], dict[str, Scored], dict[str, CannotPair]]:
    """A task's methods, what those have that can be compared, and why others cannot."""
    methods: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.result.task == task:
            methods.setdefault(cell.result.method, []).append(cell)
    return list(methods), *_scored(methods)


def verdict_of(
    methods: Sequence[str],
    usable: Mapping[str, Scored],
    unusable: Mapping[str, CannotPair],
    task: str,
    margin: float = MARGIN,
    level: float = LEVEL,
    budgets: Mapping[str, str] | None = None,
) -> TaskVerdict:
    """The verdict on methods whose answers were read already; see `verdict`.

    Args:
        methods: All of them, in the order in which pairs are listed.
        usable: Each method that can be compared.
        unusable: Each that cannot, and why.
        task: The task's name.
        margin: As in `verdict`.
        level: As in `verdict`.
        budgets: As in `verdict`.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise UserError(
            f"margin: must be a number > 0, but got {margin!r}: "
            "no two methods are shown to be equal to the last digit"
        )
    compared, unpaired = _compared(methods, usable, unusable, budgets or {})
    # What one seed says is no test of the methods, and must not ease those that are.
    several = [one for one in compared if one.crossed.seeds > 1]
    single = [one for one in compared if one.crossed.seeds == 1]
    judged = [*_judged(task, several, margin, level), *_judged(task, single, margin, level)]
    place = {(one.a.method, one.b.method): number for number, one in enumerate(compared)}
    pairs = tuple(sorted(judged, key=lambda pair: place[pair.a, pair.b]))
    return TaskVerdict(
        task=task,
        metric=next((one.metric for one in usable.values()), ""),
        margin=margin,
        pairs=pairs,
        unpaired=unpaired,
        letters=_letters(usable, pairs),
        reason=reason_of(methods, pairs, unusable, unpaired, budgets or {}),
    )


def with_pairs(of: TaskVerdict, pairs: Sequence[Pair]) -> TaskVerdict:
    """The verdict with other pairs, and the letters that follow from them."""
    separated = [(pair.better, pair.worse) for pair in pairs if pair.better]
    return replace(of, pairs=tuple(pairs), letters=letters(list(of.letters), separated))


def _scored(
    methods: Mapping[str, Sequence[Cell]],
) -> tuple[dict[str, Scored], dict[str, CannotPair]]:
    """The methods that can be compared, and why the others cannot."""
    usable: dict[str, Scored] = {}
    unusable: dict[str, CannotPair] = {}
    for method, cells in methods.items():
        try:
            usable[method] = scored(cells)
        except CannotPair as why:
            unusable[method] = why
    return usable, unusable


def _compared(
    methods: Sequence[str],
    usable: Mapping[str, Scored],
    unusable: Mapping[str, CannotPair],
    budgets: Mapping[str, str],
) -> tuple[list[_Compared], tuple[Unpaired, ...]]:
    """The pairs that can be compared, and the reasons of the others."""
    compared, unpaired = [], []
    for a, b in itertools.combinations(methods, 2):
        try:
            if reasons := [unusable[one] for one in (a, b) if one in unusable]:
                unranked = any(isinstance(one, CannotRank) for one in reasons)
                raise (CannotRank if unranked else CannotPair)("; ".join(map(str, reasons)))
            if budgets.get(a) != budgets.get(b):
                raise CannotPair(
                    f"their budgets of tuning are not equal ({a} had {budgets.get(a, 'none')}, "
                    f"{b} {budgets.get(b, 'none')})"
                )
            first, second = matched(usable[a], usable[b])
            seeds = len(first.seeds)
            first, second = first.by_search(), second.by_search()
        except CannotPair as why:
            ranked = not isinstance(why, CannotRank)
            unpaired.append(Unpaired(a, b, f"{a} and {b} are not compared: {why}.", ranked))
            continue
        difference = _mean(first.scores) - _mean(second.scores)
        step = max(first.step, second.step)
        one = crossed(first.values - second.values, difference, step)
        compared.append(_Compared(first, second, seeds, one))
    return compared, tuple(unpaired)


def _judged(task: str, compared: Sequence[_Compared], margin: float, level: float) -> list[Pair]:
    """The verdicts of a family of pairs."""
    p = [one.crossed.p() for one in compared]
    same = [one.crossed.p_equivalence(margin) for one in compared]
    p_holm, p_same = holm.adjusted(p), holm.adjusted(same)
    better_at, same_at = holm.levels(p, level), holm.levels(same, level)
    pairs = []
    for i, one in enumerate(compared):
        decided = _verdict(one.crossed, p_holm[i], p_same[i], level)
        seconds = (one.a.seconds, one.b.seconds)
        question = Question(
            one.crossed,
            margin,
            better_at[i],
            same_at[i],
            # How long another search takes, no record of a cell says.
            sum(filter(None, seconds)) if None not in seconds and not one.a.searches else None,
            "search" if one.a.searches else "seed",
        )
        low, high = clipped_difference(*one.crossed.interval(1 - LEVEL), one.a.metric)
        pairs.append(
            Pair(
                task=task,
                metric=one.a.metric,
                a=one.a.method,
                b=one.b.method,
                difference=one.crossed.difference,
                low=low,
                high=high,
                p=p[i],
                p_holm=p_holm[i],
                p_equivalence=p_same[i],
                verdict=decided,
                seeds=one.seeds,
                searches=len(one.a.searches) or 1,
                examples=one.crossed.examples,
                question=question,
            )
        )
    return pairs


def _verdict(one: Crossed, p_holm: float, p_same: float, level: float) -> Verdict:
    """What is shown at the family's level.

    A difference that is both real and within the margin is called better: which way it goes is
    known, and that it is small is seen from its interval.
    """
    if one.seeds == 1:
        return "examples alone"
    if p_holm <= level and one.difference != 0:
        return "better"
    return "equivalent" if p_same <= level else "undecided"


def _letters(usable: Mapping[str, Scored], pairs: Sequence[Pair]) -> Mapping[str, str]:
    """The tie groups of the methods that seeds can tell apart."""
    judged = [pair for pair in pairs if pair.verdict != "examples alone"]
    among = {method for pair in judged for method in (pair.a, pair.b)}
    ordered = sorted(
        (method for method in usable if method in among),
        key=lambda method: -_mean(usable[method].scores),
    )
    return letters(ordered, [(pair.better, pair.worse) for pair in judged if pair.better])


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)
