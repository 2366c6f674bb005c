"""All pairs of methods on a task: difference, interval, p, and one of three verdicts.

The family is the task's pairs: Holm keeps the chance of a single wrong "better" among them at 5 %,
and that of a single wrong "equivalent" likewise. What is neither is undecided, which is not
"equal": a test that fails to reject has shown nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...errors import UserError
from ..cells import Cell
from ..metric_range import clipped_difference
from . import holm
from .crossed import Crossed, crossed
from .letters import letters
from .matching import Scored, matched, scored
from .pseudo_values import CannotPair, CannotRank
from .reasons import reason_of
from .settle import Question
from .task_verdict import LEVEL, MARGIN, Pair, TaskVerdict, Unpaired, Verdict


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
