"""Which of some methods to take: the highest score, or the cheapest that may be as good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .advice import CHEAPER, MAY_BE_AS_GOOD, SURE, Choice
from .verdict import Judged
from .verdict.pareto import Draws


@dataclass(frozen=True)
class Preferred:
    """Which of some methods is taken."""

    highest: Choice
    taken: Choice | None
    """None where neither score nor cost decides."""
    as_good: tuple[Choice, ...]
    """Those between which costs had to decide, the taken one among them; else nothing."""
    cheaper_in: Literal["", "size", "latency", "memory"]


class Preference:
    """What one method is taken before another by: the verdict on their pair, draws and costs."""

    def __init__(self, judged: Judged, draws: Draws) -> None:
        """Ask nothing yet.

        Args:
            judged: The task's verdict.
            draws: Scores and costs, drawn anew.
        """
        self.judged, self.draws = judged, draws

    def among(self, choices: Sequence[Choice]) -> Preferred:
        """The method with the highest score, or the cheapest of those that may be as good."""
        highest = max(choices, key=lambda one: one.score)
        others = [one for one in choices if one is not highest]
        pool = [highest, *(one for one in others if self._may_be_as_good(highest, one))]
        if len(pool) == 1:
            return Preferred(highest, highest, (), "")
        smallest = min(one.size for one in pool)
        near = [one for one in pool if smallest > CHEAPER * one.size or one.size == smallest]
        if len(near) == 1:
            return Preferred(highest, near[0], tuple(pool), "size")
        for cost in ("latency", "memory"):
            if cost in self.draws.costs:
                near = self._cheapest(near, cost)
            if len(near) == 1:
                return Preferred(highest, near[0], tuple(pool), cost)
        best = max(near, key=lambda one: one.score)
        if all(one is best or self.relation(best, one) == "equivalent" for one in near):
            return Preferred(highest, best, tuple(pool), "")
        return Preferred(highest, None, tuple(near), "")

    def relation(
        self, highest: Choice, other: Choice
    ) -> Literal["better", "equivalent", "undecided"]:
        """How the scores of two methods compare: by their pair, else by the draws."""
        pair = self.judged.verdict.pair(highest.method, other.method)
        if pair is not None and pair.verdict != "examples alone":
            if pair.better:
                return "better" if pair.better == highest.method else "undecided"
            return "equivalent" if pair.verdict == "equivalent" else "undecided"
        return "better" if self._above(highest, other, 0.0) >= 0.975 else "undecided"

    def _above(self, one: Choice, other: Choice, by: float) -> float:
        """The probability that a score is above another one by more than this."""
        draws, place = self.draws.scores, self.draws.place
        return float((draws[:, place(one.method)] - draws[:, place(other.method)] > by).mean())

    def _may_be_as_good(self, highest: Choice, other: Choice) -> bool:
        """Whether little or nothing may be lost with another method."""
        relation, margin = self.relation(highest, other), self.judged.verdict.margin
        if relation != "undecided":
            return relation == "equivalent"
        return 1 - self._above(highest, other, margin) >= MAY_BE_AS_GOOD

    def _cheapest(
        self, choices: Sequence[Choice], cost: Literal["latency", "memory"]
    ) -> list[Choice]:
        """The cheapest, and all that are not surely dearer."""
        means, draws, place = self.draws.means[cost], self.draws.costs[cost], self.draws.place
        first = min(choices, key=lambda one: means[place(one.method)])
        drawn = draws[:, place(first.method)]
        return [
            one
            for one in choices
            if one is first or (drawn < draws[:, place(one.method)]).mean() < SURE
        ]
