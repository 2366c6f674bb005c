"""The verdict while seeds come in: looks after 3, 5, 8, 12 and 20 seeds, and 5 % over all of them.

Whoever looks five times and stops at the first difference errs more often than 5 %. So each look
has a share of the 5 % to itself (`spent`), within which Holm holds over the pairs of the task; the
shares add up to 5 %, and so does the chance of a wrong verdict, however the looks depend on each
other. What a look decides stays decided. Only methods of pairs that are still undecided, and that
more seeds have a chance to decide, get the seeds of the next look.

Everything follows from the cells that are there: a run that was stopped takes the same looks again
and comes to the same verdicts without training anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..cells import Cell
from .matching import Scored
from .pairs import scored_methods, verdict_of
from .settle import goals, power
from .task_verdict import LEVEL, MARGIN, Pair, TaskVerdict, with_pairs

LOOKS = (3, 5, 8, 12, 20)
"""Seeds of each method at each look; nobody gets more than the last."""
EXPONENT = 1.5
"""How the error is spent: the higher, the more of it is left for the last look."""
LEAST_CHANCE = 0.2
"""A pair gets no more seeds where even the last look would decide it less often than this."""


def spent(look: int) -> float:
    """The share of the family-wise 5 % that may be used up by a look, those before it included.

    It grows with the seeds, 5 % · (S / 20)^1.5: the power family of Kim & DeMets (1987). An
    O'Brien–Fleming shape leaves the first looks next to nothing (4e-7 at 3 of 20 seeds). With
    exponent 1 the last look has so little that, in replays of SST-2 (docs/results.md), it finds two
    thirds of what 20 seeds of each method find; with 1.5 or more nearly all, at equal trainings.
    """
    return LEVEL * math.pow(look / LOOKS[-1], EXPONENT)


def share(look: int) -> float:
    """The family-wise level of one look by itself."""
    return spent(look) - max((spent(earlier) for earlier in LOOKS if earlier < look), default=0.0)


@dataclass(frozen=True)
class Sequential:
    """What the looks so far say of one task."""

    verdict: TaskVerdict
    """The pairs as each was when it was decided, the others as of the last look."""
    look: int
    """Seeds at the last look that was taken; 0 before the first."""
    wanted: Mapping[str, int]
    """Method → seeds that it has to have, those that are there included."""
    ended: bool
    """Whether everything is decided, or nothing more can be."""

    @property
    def next_look(self) -> int:
        """Seeds at the look that is waited for; the last one where it has ended."""
        return max(self.wanted.values(), default=0)


def sequential(
    cells: Sequence[Cell],
    task: str,
    methods: Iterable[str],
    margin: float = MARGIN,
    budgets: Mapping[str, str] | None = None,
) -> Sequential:
    """Take every look at a task that the cells allow.

    Args:
        cells: The cells of a comparison, seeds numbered from 0; those of other tasks are passed
            over. A cell that failed counts as run.
        task: The task's name.
        methods: The methods that are compared.
        margin: Differences within ± margin count as none.
        budgets: Method → its budget of tuning in words; methods of different ones are not compared.

    Raises:
        UserError: The margin is not a number above 0.
    """
    there = {
        (cell.result.method, cell.result.seed)
        for cell in cells
        if cell.result.task == task and cell.result.status != "missing"
    }
    wanted = dict.fromkeys(methods, LOOKS[0])
    known, usable, unusable = scored_methods(cells, task)

    def at(wanted: Mapping[str, int], level: float) -> TaskVerdict | None:
        """The verdict on these first seeds; none where some were not run yet."""
        if any((m, seed) not in there for m, count in wanted.items() for seed in range(count)):
            return None
        first = {m: _first(one, wanted.get(m, 0)) for m, one in usable.items()}
        return verdict_of(known, first, unusable, task, margin, level, budgets)

    nothing = verdict_of([], {}, {}, task, margin)
    return take_looks(wanted, at, nothing)


def _first(one: Scored, count: int) -> Scored:
    return one.at([seed for seed in one.seeds if seed < count])


def take_looks(
    wanted: Mapping[str, int],
    at: Callable[[Mapping[str, int], float], TaskVerdict | None],
    nothing: TaskVerdict,
) -> Sequential:
    """Look after look, until one needs seeds that are not there or there is none to take.

    Args:
        wanted: Method → seeds at the first look.
        at: The verdict on the first seeds of each method at a family-wise level; none where some of
            these seeds were not run.
        nothing: The verdict before the first look.
    """
    wanted, latest, taken = dict(wanted), nothing, 0
    decided: dict[tuple[str, str], Pair] = {}
    for number, look in enumerate(LOOKS):
        seen = at(wanted, share(look))
        if seen is None:
            return Sequential(latest, taken, wanted, ended=False)
        taken = look
        for pair in seen.pairs:
            if pair.verdict in ("better", "equivalent"):
                decided.setdefault((pair.a, pair.b), pair)
        latest = with_pairs(seen, [decided.get((p.a, p.b), p) for p in seen.pairs])
        going_on = _undecided(latest.pairs)
        if not going_on or look == LOOKS[-1]:
            break
        wanted |= dict.fromkeys(going_on, LOOKS[number + 1])
    return Sequential(latest, taken, wanted, ended=True)


def _undecided(pairs: Iterable[Pair]) -> list[str]:
    """The methods of pairs that are undecided and that more seeds have a chance to decide."""
    open_pairs = [pair for pair in pairs if pair.verdict == "undecided" and has_a_chance(pair)]
    return list(dict.fromkeys(method for pair in open_pairs for method in (pair.a, pair.b)))


def has_a_chance(pair: Pair) -> bool:
    """Whether the last look would decide a pair, if its difference is what it looks like."""
    last = max(LOOKS[-1], pair.seeds)
    chances = (power(pair.question, goal, last, pair.examples) for goal in goals(pair.question))
    return max(chances, default=0.0) >= LEAST_CHANCE
