"""How the advice on one task follows from scores, costs and verdicts (its parts: `advice.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..records import Comparison
from .advice import FEWEST_SEEDS, MOST_SEEDS, SURE, Advice, Choice, Limit, Limits, Run, Why
from .budgets import budgets, search_texts, unequal
from .cells import Cell
from .choices import Choices
from .format import present
from .preference import Preference, Preferred
from .verdict import Judged, judge, resampled
from .verdict.bootstrap import cell_table
from .verdict.pareto import MEASURED, Draws, draws_of

if TYPE_CHECKING:
    from .verdict import Settlement


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
        self.choices = Choices(draws, self.cells, self.metric, limits)
        self.preference = Preference(judged, draws)

    def advice(self) -> Advice:
        """The advice, or why there is none."""
        choices = self.choices.ranked
        measured = {"weights", "score", *self.draws.costs}
        unmeasured = tuple(one for one in self.choices.asked if one not in measured)
        clear = [one for one in choices if one.keeps >= SURE]
        unclear = [one for one in choices if 1 - SURE < one.keeps < SURE]
        if not choices:
            return self._none("answers", run=Run(None, again=True))
        if self.draws.seeds < 2:
            return self._none("one seed", run=self._seeds(FEWEST_SEEDS))
        if unmeasured:
            return self._none("not measured", unmeasured=unmeasured, run=Run(None, again=True))
        if not clear and unclear:
            return self._too_noisy(unclear)
        if not clear:
            return self._none("limits", run=Run(None))
        preferred = self.preference.among(clear)
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
        runner_up = self.preference.among(rest) if rest else None
        relation = "" if taken is highest else self.preference.relation(highest, taken)
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
            choices=self.choices.ranked,
            missing=self.draws.missing,
            seeds=self.draws.seeds,
            **known,
        )

    def _none(self, why: Why, **known: Any) -> Advice:
        """No advice."""
        return self._made(why=why, **known)

    def _settlement(self, preferred: Preferred) -> Settlement | None:
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
        return self.choices.least_sure_limit(max(unclear, key=lambda one: one.keeps))

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
        distance = abs(float(logs.mean()) - np.log(self.choices.asked[limit]))
        spread = float(logs.std(ddof=1))
        enough = (
            seeds
            for seeds in range(now + 1, MOST_SEEDS + 1)
            if stdtrit(seeds - 1, SURE) * spread / np.sqrt(seeds) < distance
        )
        return next(enough, None)
