"""How the advice on one task follows from scores, costs and verdicts (its parts: `advice.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..records import Comparison
from .advice import (
    CHEAPER,
    FEWEST_SEEDS,
    MAY_BE_AS_GOOD,
    MOST_SEEDS,
    SURE,
    Advice,
    Choice,
    Limit,
    Limits,
    Run,
    Why,
)
from .budgets import budgets, search_texts, unequal
from .cells import Cell
from .format import present
from .rows import mean
from .verdict import Judged, interval_of, judge, resampled
from .verdict.bootstrap import cell_table
from .verdict.pareto import MEASURED, Draws, draws_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .verdict import Settlement

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Preferred:
    """Which of some methods is taken."""

    highest: Choice
    taken: Choice | None
    """None where neither score nor cost decides."""
    as_good: tuple[Choice, ...]
    """Those between which costs had to decide, the taken one among them; else nothing."""
    cheaper_in: Literal["", "size", "latency", "memory"]


def advise(comparison: Comparison, cells: Sequence[Cell], task: str, limits: Limits) -> Advice:
    """Which method of a finished comparison to take on a task.

    Args:
        comparison: What was planned; the folds of a file are one task.
        cells: Its cells with their stored answers.
        task: The task's name.
        limits: What may be used.
    """
    texts = search_texts(budgets(comparison), task)
    judged = judge(comparison, cells, task, texts)
    draws = draws_of(cells, task, resampled(cells, task))
    adviser = _Adviser(judged, draws, cells, task, limits)
    return adviser.advice() if not (apart := unequal(texts)) else adviser.unranked(apart)


class _Adviser:
    """All that the advice on one task follows from."""

    def __init__(
        self, judged: Judged, draws: Draws, cells: Sequence[Cell], task: str, limits: Limits
    ) -> None:
        self.judged, self.draws, self.limits, self.task = judged, draws, limits, task
        self.cells = [cell for cell in cells if cell.task == task]
        recorded = next((c.result.metric for c in self.cells if c.result.metric), "")
        self.metric = judged.verdict.metric or recorded
        self.kept_by_limit = self._kept_by_limit()
        self.choices = sorted(
            map(self._choice, draws.methods), key=lambda one: one.score, reverse=True
        )

    def advice(self) -> Advice:
        """The advice, or why there is none."""
        measured = {"weights", "score", *self.draws.costs}
        unmeasured = tuple(one for one in self._asked() if one not in measured)
        clear = [one for one in self.choices if one.keeps >= SURE]
        unclear = [one for one in self.choices if 1 - SURE < one.keeps < SURE]
        if not self.choices:
            return self._none("answers", run=Run(None, again=True))
        if self.draws.seeds < 2:
            return self._none("one seed", run=self._seeds(FEWEST_SEEDS))
        if unmeasured:
            return self._none("not measured", unmeasured=unmeasured, run=Run(None, again=True))
        if not clear and unclear:
            return self._too_noisy(unclear)
        if not clear:
            return self._none("limits", run=Run(None))
        preferred = self._preferred(clear)
        settlement = self._settlement(preferred)
        names = tuple(one.method for one in preferred.as_good)
        if preferred.taken is None:
            seeds = None if settlement is None else settlement.seeds
            run = None if seeds is None or seeds > MOST_SEEDS else self._seeds(seeds)
            return self._none(
                "tied", highest=preferred.highest.method, as_good=names, run=run,
                settlement=settlement,
            )  # fmt: skip
        taken, highest = preferred.taken, preferred.highest
        rest = [one for one in clear if one is not taken]
        runner_up = self._preferred(rest) if rest else None
        relation = "" if taken is highest else self._relation(highest, taken)
        open_seeds = None if settlement is None else settlement.seeds
        run = self._seeds(open_seeds) if open_seeds and open_seeds <= MOST_SEEDS else None
        return self._made(
            advised=taken,
            runner_up=None if runner_up is None else runner_up.taken or runner_up.highest,
            highest=highest.method,
            relation="undecided" if relation == "better" else relation,
            cheaper_in=preferred.cheaper_in,
            as_good=tuple(name for name in names if name != taken.method),
            unclear=tuple(one.method for one in unclear),
            noisy=self._noisy(unclear),
            run=run,
            settlement=settlement,
        )

    def unranked(self, budgets_of: str) -> Advice:
        """No advice, since the methods had unequal budgets; `budgets_of` is the sentence on it."""
        return self._none("budgets", unequal_budgets=budgets_of, run=Run(None, again=True))

    def _made(self, **known: Any) -> Advice:
        """The advice, with what is known of it."""
        return Advice(
            task=self.task,
            metric=self.metric,
            limits=self.limits,
            choices=tuple(self.choices),
            missing=self.draws.missing,
            seeds=self.draws.seeds,
            **known,
        )

    def _none(self, why: Why, **known: Any) -> Advice:
        """No advice."""
        return self._made(why=why, **known)

    def _asked(self) -> dict[Limit, float]:
        """The limits that were set."""
        limits: dict[Limit, float | None] = {
            "weights": self.limits.weights,
            "latency": self.limits.latency,
            "memory": self.limits.memory,
            "score": self.limits.score,
        }
        return {name: value for name, value in limits.items() if value is not None}

    def _kept_by_limit(self) -> dict[Limit, NDArray[np.bool_]]:
        """Limit → in which draws each method keeps it (b m); a limit on nothing measured is out."""
        kept: dict[Limit, NDArray[np.bool_]] = {}
        for name, value in self._asked().items():
            if name == "score":
                kept[name] = self.draws.scores >= value
            elif name in self.draws.costs:
                kept[name] = np.asarray(self.draws.costs[name] <= value)
        return kept

    def _sizes(self) -> Floats:
        """What counts as each method's size (m)."""
        if self.limits.tasks_served is None:
            return self.draws.means["weights"]
        return np.array([self.limits.storage(m, self._stored(m)) for m in self.draws.methods])

    def _stored(self, method: str) -> float:
        """Weights that a method keeps for one task, head included."""
        of_method = [c.result for c in self.cells if c.result.method == method]
        counts = [
            (r.stored_params or 0) + (r.trainable_params_with_head or 0) - (r.trainable_params or 0)
            for r in of_method
            if r.status == "complete"
        ]
        return sum(counts) / len(counts)

    def _choice(self, method: str) -> Choice:
        """What is known of one method."""
        place = self.draws.place(method)
        drawn = self.draws.scores[:, place]
        kept = np.ones(len(drawn), dtype=bool)
        for each in self.kept_by_limit.values():
            kept = kept & each[:, place]
        sizes = self._sizes()
        on_front = self.draws.on_front({"weights": sizes})[:, place]
        low, high = interval_of(drawn, self.metric)
        cells = [cell for cell in self.cells if cell.result.method == method]
        done = [cell.result for cell in cells if cell.result.status == "complete"]
        costs = {name: float(of[place]) for name, of in self.draws.means.items()}
        score = self._score(cells)
        values = {**costs, "score": score}
        broken = tuple(
            name
            for name, limit in self._asked().items()
            if name in values
            and (values[name] < limit if name == "score" else values[name] > limit)
        )
        return Choice(
            method=method,
            score=score,
            low=low,
            high=high,
            weights=costs["weights"],
            size=float(sizes[place]),
            latency=costs.get("latency"),
            memory=costs.get("memory"),
            keeps=float(kept.mean()),
            on_front=float(on_front.mean()),
            probability=float((kept & on_front).mean()),
            broken=broken,
            cell=next((result.cell for result in done if result.adapter), ""),
            hyperparameters=done[0].hyperparameters,
        )

    def _score(self, cells: Sequence[Cell]) -> float:
        """A method's mean score, over folds of the mean over seeds."""
        parts: dict[int, list[float | None]] = {}
        for cell in cells:
            if cell.result.status == "complete":
                number = 0 if cell.fold is None else cell.fold.number
                parts.setdefault(number, []).append(cell.result.score)
        means = [mean(part) for part in parts.values()]
        return float(np.mean([one.value for one in means if one is not None]))

    def _relation(
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
        relation, margin = self._relation(highest, other), self.judged.verdict.margin
        if relation != "undecided":
            return relation == "equivalent"
        return 1 - self._above(highest, other, margin) >= MAY_BE_AS_GOOD

    def _preferred(self, choices: Sequence[Choice]) -> _Preferred:
        """The method with the highest score, or the cheapest of those that may be as good."""
        highest = max(choices, key=lambda one: one.score)
        others = [one for one in choices if one is not highest]
        pool = [highest, *(one for one in others if self._may_be_as_good(highest, one))]
        if len(pool) == 1:
            return _Preferred(highest, highest, (), "")
        smallest = min(one.size for one in pool)
        near = [one for one in pool if smallest > CHEAPER * one.size or one.size == smallest]
        if len(near) == 1:
            return _Preferred(highest, near[0], tuple(pool), "size")
        for cost in ("latency", "memory"):
            if cost in self.draws.costs:
                near = self._cheapest(near, cost)
            if len(near) == 1:
                return _Preferred(highest, near[0], tuple(pool), cost)
        best = max(near, key=lambda one: one.score)
        if all(one is best or self._relation(best, one) == "equivalent" for one in near):
            return _Preferred(highest, best, tuple(pool), "")
        return _Preferred(highest, None, tuple(near), "")

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

    def _settlement(self, preferred: _Preferred) -> Settlement | None:
        """What would decide between the taken method and the highest, or of the two first tied."""
        first = preferred.taken or preferred.as_good[0]
        others = [preferred.highest, *preferred.as_good]
        for other in others:
            pair = self.judged.verdict.pair(first.method, other.method)
            if pair is not None and pair.to_decide is not None:
                return pair.to_decide
            if preferred.taken is not None:
                break
        return None

    def _seeds(self, seeds: int) -> Run:
        """So many seeds in all, and what the further ones take."""
        more = seeds - self.draws.seeds
        times = [c.result.train_seconds for c in self.cells if present(c.result.train_seconds)]
        methods = {cell.result.method for cell in self.cells}
        each = sum(filter(None, times)) / len(times) if times else None
        return Run(seeds, None if each is None else each * more * len(methods))

    def _too_noisy(self, unclear: Sequence[Choice]) -> Advice:
        """No method surely keeps the limits, and some may."""
        noisy = self._noisy(unclear)
        best = max(unclear, key=lambda one: one.keeps)
        seeds = self._seeds_for(best, noisy)
        return self._none(
            "noisy",
            unclear=tuple(one.method for one in unclear),
            noisy=noisy,
            run=None if seeds is None else self._seeds(seeds),
        )

    def _noisy(self, unclear: Sequence[Choice]) -> Limit | None:
        """The limit that the most probable of some methods is least sure to keep."""
        if not unclear:
            return None
        place = self.draws.place(max(unclear, key=lambda one: one.keeps).method)
        kept = {name: each[:, place].mean() for name, each in self.kept_by_limit.items()}
        return min(kept, key=lambda name: kept[name])

    def _seeds_for(self, choice: Choice, limit: Limit | None) -> int | None:
        """Seeds that would surely tell on which side of a limit a method is; none up to twenty.

        A score has the error of the test examples too, which no seed makes smaller: twice as many
        seeds are then proposed, as far as there may be so many.
        """
        from scipy.special import stdtrit

        now = self.draws.seeds
        if limit not in MEASURED:
            return min(MOST_SEEDS, 2 * now) if now < MOST_SEEDS else None
        logs = np.log(cell_table(self.cells, (choice.method,), MEASURED[limit])[0])
        logs = logs[np.isfinite(logs)]
        distance = abs(float(logs.mean()) - np.log(self._asked()[limit]))
        spread = float(logs.std(ddof=1))
        enough = (
            seeds
            for seeds in range(now + 1, MOST_SEEDS + 1)
            if stdtrit(seeds - 1, SURE) * spread / np.sqrt(seeds) < distance
        )
        return next(enough, None)
