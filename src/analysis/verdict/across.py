"""Methods over several tasks: mean score, mean rank, who wins a new task, and what Wilcoxon says.

Two kinds of question, two kinds of chance. Whether the mean over *these* tasks would be the same
with other seeds and test examples is answered by drawing both anew within every task
(`bootstrap.py`). Whether *another* task would come out like these is a matter of the tasks: of n
tasks each is one observation, and six are the fewest that are asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..format import listed
from ..leaders import Average
from ..metric_range import metric_range
from . import holm
from .bootstrap import Resampled
from .letters import letters
from .task_verdict import LEVEL

Floats = NDArray[np.float64]

FEWEST_TASKS = 6
"""Below so many tasks nothing is claimed of a new one: even six wins of six leave a share of 0.54
possible (Clopper and Pearson's 95 % interval), and 5 of 5 leave 0.48."""


@dataclass(frozen=True)
class Standing:
    """One method over all tasks."""

    method: str
    mean: float
    """Mean over the tasks of its scores: GLUE's way of averaging."""
    mean_low: float | None
    """The lower end of its 95 % interval over seeds and test examples; none where these are not
    known on some task."""
    mean_high: float | None
    rank: float
    """Mean over the tasks of its rank by score, 1 the best; equal scores share the middle rank."""
    rank_low: float | None
    rank_high: float | None
    highest: float | None
    """In which share of the draws its mean score is the highest."""


@dataclass(frozen=True)
class AcrossPair:
    """Two methods over all tasks, each task one observation."""

    a: str
    b: str
    above: float
    """Tasks on which a has the higher score; one with equal scores counts a half."""
    tasks: int
    probability: float | None
    """That a has the higher score on a new task of the same kind; none for fewer than six."""
    low: float | None
    """The lower end of its 95 % interval, by Clopper and Pearson."""
    high: float | None
    p: float | None
    """Two-sided p of Wilcoxon's signed-rank test; none where no pair could ever be significant."""
    p_holm: float | None
    """The same, adjusted over all pairs."""
    better: str
    """The method that Wilcoxon's test and Holm show to be better; empty where they do not."""

    @property
    def worse(self) -> str:
        """The other of a pair that is decided; empty where none is shown to be better."""
        return "" if not self.better else self.b if self.better == self.a else self.a


@dataclass(frozen=True)
class Across:
    """What all tasks together say."""

    tasks: tuple[str, ...]
    standings: tuple[Standing, ...]
    """The methods with a score on every task, highest mean first."""
    scores: Mapping[str, tuple[float, ...]]
    """Method → its score on each of the tasks, in their order."""
    ranks: Mapping[str, tuple[float, ...]]
    """Method → its rank on each of them."""
    pairs: tuple[AcrossPair, ...]
    enough: int
    """Tasks from which on some pair of so many methods could be significant at all."""
    groups: Mapping[str, str]
    """Method → letters of the groups that the diagram links; empty where it is not drawn."""
    one_seed: bool
    """Whether some task has one seed, so that its intervals are those of test examples alone."""
    reason: str
    """Why intervals are missing, in a sentence; empty where they are there."""

    @property
    def drawn(self) -> bool:
        """Whether there are enough tasks for a critical-difference diagram."""
        return bool(self.groups)

    def pair(self, first: str, second: str) -> AcrossPair | None:
        """The two methods' pair, in either order."""
        wanted = {first, second}
        return next((one for one in self.pairs if {one.a, one.b} == wanted), None)


def across(
    tasks: Sequence[str], averages: Sequence[Average], draws: Mapping[str, Resampled]
) -> Across | None:
    """Compare the methods over all tasks; none for a single task, or fewer than two methods.

    Args:
        tasks: Their names.
        averages: Each method over the tasks; those that lack a score somewhere are left out.
        draws: Task → its scores drawn anew.
    """
    kept = [one for one in averages if one.mean is not None]
    if len(tasks) < 2 or len(kept) < 2:
        return None
    scores = np.array([[row.score.value for row in one.rows if row.score] for one in kept])
    methods = [one.method for one in kept]
    reason = _why_no_draws(tasks, methods, draws)
    drawn = None if reason else _drawn(tasks, methods, draws, scores)
    ends = [metric_range(row.metric) for row in kept[0].rows]
    least, most = (sum(each) / len(ends) for each in zip(*ends, strict=True))
    standings = sorted(_standings(methods, scores, drawn, (least, most)), key=lambda one: -one.mean)
    enough = enough_tasks(len(methods))
    pairs = _pairs(methods, scores, judging=len(tasks) >= enough)
    apart = [(pair.better, pair.worse) for pair in pairs if pair.better]
    by_rank = [one.method for one in sorted(standings, key=lambda one: one.rank)]
    return Across(
        tasks=tuple(tasks),
        standings=tuple(standings),
        scores=_by_method(methods, scores),
        ranks=_by_method(methods, ranks(scores)),
        pairs=tuple(pairs),
        enough=enough,
        groups=letters(by_rank, apart) if len(tasks) >= enough else {},
        one_seed=any(draws[task].seeds == 1 for task in tasks if task in draws),
        reason=reason,
    )


def ranks(scores: Floats) -> Floats:
    """Ranks of methods (m ...) by score, 1 the highest; equal ones share the middle rank."""
    above = (scores[None, :] > scores[:, None]).sum(1)
    equal = (scores[None, :] == scores[:, None]).sum(1)
    middle: Floats = 1 + above + (equal - 1) / 2
    return middle


def symmetric(value: Floats, draws: Floats, confidence: float = 1 - LEVEL) -> tuple[Floats, Floats]:
    """The symmetric bootstrap interval of numbers (m) from what was drawn of them (b m).

    As far to both sides as 95 % of the draws lie from the number itself (Hall 1988). Percentiles
    of the draws would not do for ranks: noise makes ranks more alike, so that drawn ranks of a
    good method are worse than its own, and with many tasks none of them is as good.
    """
    half = np.quantile(np.abs(draws - value), confidence, axis=0)
    return value - half, value + half


def enough_tasks(methods: int, level: float = LEVEL) -> int:
    """From how many tasks on Wilcoxon's test with Holm could find any of all pairs.

    The smallest two-sided p of n differences is that of n equal signs, 2^(1 - n), and the smallest
    of so many pairs is multiplied by their number.
    """
    pairs = methods * (methods - 1) // 2
    return next(n for n in itertools.count(1) if pairs * 2.0 ** (1 - n) <= level)


def wilcoxon(differences: Floats) -> float:
    """The exact two-sided p of Wilcoxon's signed-rank test, with ties and zeros.

    Differences of 0 are ranked and then left out (Pratt 1959), equal sizes share the middle rank,
    and the sum of positive ranks is held against all 2^k ways of giving the k ranks a sign.
    scipy's has no exact p where sizes are equal or 0 beyond thirteen differences, and takes
    half a second to import.
    """
    doubled, signs = _signed_ranks(differences)
    if not len(signs):
        return 1.0
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1.0
    for rank in doubled:
        shifted = np.concatenate((np.zeros(rank), ways[: len(ways) - rank]))
        ways = (ways + shifted) / 2
    seen = int(doubled[signs > 0].sum())
    return float(min(1.0, 2 * min(ways[: seen + 1].sum(), ways[seen:].sum())))


def positive_share(differences: Floats) -> float:
    """The share of the positive differences among all ranks; a half where all are 0."""
    doubled, signs = _signed_ranks(differences)
    return float(doubled[signs > 0].sum() / doubled.sum()) if len(signs) else 0.5


def _signed_ranks(differences: Floats) -> tuple[NDArray[np.int_], Floats]:
    """Twice the middle rank of each size, which is a whole number, and its sign; without zeros."""
    doubled = np.rint(2 * ranks(-np.abs(differences))).astype(int)
    there = differences != 0
    return doubled[there], np.sign(differences[there])


def share_interval(
    successes: float, trials: int, confidence: float = 1 - LEVEL
) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share (1934); it covers at least as often as it says."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    failures = trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures > 0 else 1.0
    return low, high


def _standings(
    methods: Sequence[str], scores: Floats, drawn: Floats | None, ends: tuple[float, float]
) -> list[Standing]:
    """Each method (m tasks) with its intervals, from draws (b m tasks).

    Those of means lie between the `ends` of the mean of the tasks' metrics, those of ranks between
    the first and the last.
    """
    means, mean_ranks = scores.mean(1), ranks(scores).mean(1)
    nothing: list[float | None] = [None] * len(methods)
    mean_ends, rank_ends, highest = (nothing, nothing), (nothing, nothing), nothing
    if drawn is not None:
        of_means = drawn.mean(2)
        of_ranks = np.moveaxis(ranks(np.moveaxis(drawn, 0, -1)).mean(1), -1, 0)
        low, high = symmetric(means, of_means)
        mean_ends = np.maximum(ends[0], low).tolist(), np.minimum(ends[1], high).tolist()
        low, high = symmetric(mean_ranks, of_ranks)
        rank_ends = np.maximum(1, low).tolist(), np.minimum(len(methods), high).tolist()
        highest = (of_means == of_means.max(1, keepdims=True)).mean(0).tolist()
    return [
        Standing(method, *numbers)
        for method, *numbers in zip(
            methods, means.tolist(), *mean_ends, mean_ranks.tolist(), *rank_ends, highest,
            strict=True,
        )
    ]  # fmt: skip


def _by_method(methods: Sequence[str], numbers: Floats) -> dict[str, tuple[float, ...]]:
    """Method → its numbers of (m tasks)."""
    return {method: tuple(row) for method, row in zip(methods, numbers.tolist(), strict=True)}


def _pairs(methods: Sequence[str], scores: Floats, *, judging: bool) -> list[AcrossPair]:
    """Every two methods (m tasks), each task one observation."""
    pairs = list(itertools.combinations(range(len(methods)), 2))
    tasks = scores.shape[1]
    gaps = [scores[i] - scores[j] for i, j in pairs]
    p: list[float | None] = [wilcoxon(gap) if judging else None for gap in gaps]
    p_holm: Sequence[float | None] = holm.adjusted([one or 0.0 for one in p]) if judging else p
    made = []
    for (i, j), gap, plain, adjusted in zip(pairs, gaps, p, p_holm, strict=True):
        above = float((gap > 0).sum() + (gap == 0).sum() / 2)
        low, high = share_interval(above, tasks) if tasks >= FEWEST_TASKS else (None, None)
        share = above / tasks if tasks >= FEWEST_TASKS else None
        a, b = methods[i], methods[j]
        better = ""
        if adjusted is not None and adjusted <= LEVEL:
            better = a if positive_share(gap) > 0.5 else b
        made.append(AcrossPair(a, b, above, tasks, share, low, high, plain, adjusted, better))
    return made


def _drawn(
    tasks: Sequence[str], methods: Sequence[str], draws: Mapping[str, Resampled], scores: Floats
) -> Floats:
    """Scores drawn anew (b m tasks), around the scores of the tables (m tasks)."""
    columns = []
    for number, task in enumerate(tasks):
        of_task = draws[task]
        places = [of_task.methods.index(method) for method in methods]
        errors = of_task.draws[:, places] - of_task.scores[places]
        columns.append(scores[:, number] + errors)
    return np.stack(columns, -1)


def _why_no_draws(
    tasks: Sequence[str], methods: Sequence[str], draws: Mapping[str, Resampled]
) -> str:
    """Why there are no intervals; empty where there are."""
    gaps = {
        task: [method for method in methods if method not in draws[task].methods] for task in tasks
    }
    where = [task for task, missing in gaps.items() if missing]
    if not where:
        return ""
    first = draws[where[0]].missing
    why = next((first[method] for method in gaps[where[0]] if method in first), "")
    because = f" ({why})" if why else ""
    return (
        f"Mean score and mean rank have no interval, since answers could not be resampled on "
        f"{listed(where)}{because}."
    )
