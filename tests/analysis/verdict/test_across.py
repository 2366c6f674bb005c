"""Several tasks: ranks, intervals, a new task and Wilcoxon's test, each beside an oracle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from tunebench.analysis import analyse
from tunebench.analysis.leaders import Average
from tunebench.analysis.rows import Mean, Row
from tunebench.analysis.verdict import Across, Resampled, across
from tunebench.analysis.verdict.across import (
    enough_tasks,
    positive_share,
    ranks,
    share_interval,
    symmetric,
    wilcoxon,
)
from tunebench.analysis.verdict.bootstrap import example_errors, seed_errors, seed_table

from tests.analysis.planted import answered, reader, records_of, renamed
from tests.analysis.verdict.made_up import cells
from tests.analysis.verdict.simulate import Design, right_answers
from tests.analysis.verdict.test_bootstrap import scored_of

Scores = dict[str, Sequence[float | None]]


def averages_of(scores: Scores) -> tuple[Average, ...]:
    """Methods with these scores on each task."""
    made = []
    for method, each in scores.items():
        rows = [
            Row(f"t{n}", method, True, "accuracy", {} if s is None else {"score": Mean(s, None)})
            for n, s in enumerate(each)
        ]
        known = [s for s in each if s is not None]
        mean = float(np.mean(known)) if len(known) == len(each) else None
        made.append(Average(method, tuple(rows), mean))
    return tuple(made)


def exact(task: str, scores: dict[str, float]) -> Resampled:
    """Draws without any error."""
    values = np.array(list(scores.values()))
    return Resampled(task, tuple(scores), values, np.tile(values, (50, 1)), 3)


def of_scores(scores: Scores) -> Across:
    """All tasks together, where nothing could have come out differently."""
    count = len(next(iter(scores.values())))
    tasks = [f"t{n}" for n in range(count)]
    draws = {
        task: exact(task, {m: s for m, each in scores.items() if (s := each[n]) is not None})
        for n, task in enumerate(tasks)
    }
    over_all = across(tasks, averages_of(scores), draws)
    assert over_all is not None
    return over_all


def made_scores(methods: int, tasks: int, start: int = 0) -> Scores:
    drawn = np.random.default_rng(start).random((methods, tasks))
    return {f"m{number}": row.tolist() for number, row in enumerate(drawn)}


def test_ranks_are_scipy_s() -> None:
    scores = np.random.default_rng(0).integers(0, 4, (7, 30)).astype(float)
    assert ranks(scores) == pytest.approx(stats.rankdata(-scores, axis=0))


def test_standings_are_means_over_the_tasks_in_the_order_of_the_means() -> None:
    scores = made_scores(4, 3)
    over_all = of_scores(scores)
    table = np.array(list(scores.values()))
    each = {one.method: one for one in over_all.standings}
    assert [one.mean for one in over_all.standings] == sorted(table.mean(1), reverse=True)
    for row, rank, (method, _) in zip(
        table, stats.rankdata(-table, axis=0).mean(1), scores.items(), strict=True
    ):
        assert each[method].mean == pytest.approx(row.mean())
        assert each[method].rank == pytest.approx(rank)
        # Nothing could have come out differently.
        assert (each[method].rank_low, each[method].rank_high) == pytest.approx((rank, rank))
        assert each[method].highest == (1 if one_is_highest(table, row) else 0)


def one_is_highest(table: np.ndarray[Any, Any], row: np.ndarray[Any, Any]) -> bool:
    return bool(row.mean() == table.mean(1).max())


def test_a_method_with_a_gap_is_left_out_and_ranks_are_among_the_others() -> None:
    scores: Scores = {"a": [0.5, 0.5], "b": [0.9, None], "c": [0.4, 0.4]}
    over_all = of_scores(scores)
    assert [(one.method, one.rank) for one in over_all.standings] == [("a", 1), ("c", 2)]
    assert across(["t0"], averages_of({"a": [0.5], "b": [0.4]}), {}) is None
    assert across(["t0", "t1"], averages_of({"a": [0.5, 0.5], "b": [0.9, None]}), {}) is None


@pytest.mark.parametrize("n", [6, 9, 12])
def test_wilcoxon_is_scipy_s_exact_test(n: int) -> None:
    generator = np.random.default_rng(n)
    for _ in range(20):
        gap = generator.standard_normal(n) + 0.5
        assert wilcoxon(gap) == pytest.approx(stats.wilcoxon(gap, method="exact").pvalue)


def test_wilcoxon_with_ties_and_zeros_counts_every_way_to_sign_the_ranks() -> None:
    generator = np.random.default_rng(3)
    for _ in range(20):
        gap = generator.integers(-3, 4, 9).astype(float)
        kept = stats.rankdata(np.abs(gap))[gap != 0]
        seen = kept[gap[gap != 0] > 0].sum()
        every = [float(kept @ signs) for signs in itertools.product((0, 1), repeat=len(kept))] or [
            0.0
        ]
        below = np.mean([one <= seen + 1e-9 for one in every])
        above = np.mean([one >= seen - 1e-9 for one in every])
        assert wilcoxon(gap) == pytest.approx(min(1, 2 * min(below, above)))
        method = stats.PermutationMethod(n_resamples=10_000)
        if len(kept) == len(gap):
            assert wilcoxon(gap) == pytest.approx(stats.wilcoxon(gap, method=method).pvalue)
    assert wilcoxon(np.zeros(8)) == 1
    assert positive_share(np.zeros(8)) == 0.5


def test_p_is_adjusted_over_all_pairs_as_statsmodels_does() -> None:
    scores = made_scores(4, 12)
    scores = {
        m: [s + 0.4 * (m == "m2") for s in each if s is not None] for m, each in scores.items()
    }
    over_all = of_scores(scores)
    assert len(over_all.pairs) == 6
    table = {m: np.array(each, dtype=float) for m, each in scores.items()}
    p = [
        stats.wilcoxon(table[pair.a] - table[pair.b], method="exact").pvalue
        for pair in over_all.pairs
    ]
    assert [pair.p for pair in over_all.pairs] == pytest.approx(p)
    reject, p_holm, *_ = multipletests(p, 0.05, method="holm")
    assert [pair.p_holm for pair in over_all.pairs] == pytest.approx(p_holm)
    assert [bool(pair.better) for pair in over_all.pairs] == reject.tolist()
    assert reject.any()
    assert {pair.better for pair in over_all.pairs if pair.better} == {"m2"}


def test_the_better_one_has_the_greater_ranks_and_not_the_more_tasks() -> None:
    # a wins twelve tasks of twenty by a hair, b the others by far.
    gap = np.concatenate((np.linspace(0.001, 0.002, 12), -np.linspace(0.2, 0.3, 8)))
    assert positive_share(gap) < 0.5
    gap = np.concatenate((np.linspace(0.001, 0.002, 8), -np.linspace(0.2, 0.3, 22)))
    over_all = of_scores({"a": (0.5 + gap).tolist(), "b": [0.5] * len(gap)})
    assert over_all.pairs[0].better == "b"
    assert over_all.pairs[0].worse == "a"


@pytest.mark.parametrize("methods", range(2, 10))
def test_with_one_task_less_than_enough_no_pair_could_ever_differ(methods: int) -> None:
    pairs = methods * (methods - 1) // 2
    enough = enough_tasks(methods)
    one_sided = np.linspace(0.01, 0.02, enough)
    least = stats.wilcoxon(one_sided, method="exact").pvalue
    assert multipletests([least] + [1.0] * (pairs - 1), 0.05, method="holm")[0][0]
    less = stats.wilcoxon(one_sided[1:], method="exact").pvalue
    assert not multipletests([less] + [1.0] * (pairs - 1), 0.05, method="holm")[0][0]
    # The same of whole comparisons in which every method is above the next on every task.
    for tasks, drawn in ((enough, True), (enough - 1, False)):
        steps = np.random.default_rng(0).random((methods, tasks)) * 0.01
        scores: Scores = {f"m{m}": (0.9 - 0.1 * m + steps[m]).tolist() for m in range(methods)}
        over_all = of_scores(scores)
        assert (over_all.drawn, over_all.enough) == (drawn, enough)
        assert any(pair.better for pair in over_all.pairs) == drawn
        assert all((pair.p is not None) == drawn for pair in over_all.pairs)


@pytest.mark.parametrize(("k", "n"), [(0, 6), (3, 6), (6, 6), (7, 9), (12, 12)])
def test_the_share_of_tasks_won_has_clopper_and_pearson_s_interval(k: int, n: int) -> None:
    wanted = stats.binomtest(k, n).proportion_ci(method="exact")
    assert share_interval(k, n) == pytest.approx((wanted.low, wanted.high))
    assert share_interval(k, n) == pytest.approx(proportion_confint(k, n, method="beta"))


def test_six_tasks_are_the_fewest_that_say_something_of_a_new_one() -> None:
    for tasks in (5, 6):
        ours = [0.5] * tasks
        ours[0] = 0.4
        pair = of_scores({"a": ours, "b": [0.4] * tasks}).pairs[0]
        assert pair.above == tasks - 0.5  # equal scores count a half
        known = (pair.probability, pair.low, pair.high)
        assert known == ((None,) * 3 if tasks == 5 else (5.5 / 6, *share_interval(5.5, 6)))
    assert pair.p is not None
    assert of_scores({"a": ours, "b": ours}).pairs[0].better == ""


def test_what_is_drawn_moves_means_and_ranks_together() -> None:
    generator = np.random.default_rng(0)
    base = {"a": 0.7, "b": 0.69, "c": 0.5}
    values = np.array(list(base.values()))
    draws = {
        t: Resampled(
            t, tuple(base), values, values + 0.02 * generator.standard_normal((4000, 3)), 3
        )
        for t in ("t0", "t1")
    }
    over_all = across(["t0", "t1"], averages_of({m: [s, s] for m, s in base.items()}), draws)
    assert over_all is not None
    first, second, third = over_all.standings
    half = 1.96 * 0.02 / np.sqrt(2)
    assert (first.mean_low, first.mean_high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.002)
    chance = stats.norm.cdf(0.01 / 0.02)  # of the difference of two means of two tasks
    assert first.highest == pytest.approx(chance, abs=0.02)
    assert second.highest == pytest.approx(1 - chance, abs=0.02)
    assert (first.rank_low, first.rank_high) == (1, 2)
    assert (third.rank_low, third.rank_high) == (3, 3)
    assert not over_all.reason


def test_symmetric_intervals_are_as_wide_on_both_sides() -> None:
    draws = np.random.default_rng(0).exponential(size=(20_000, 1))
    low, high = symmetric(np.array([1.0]), draws)
    assert (low + high) / 2 == pytest.approx([1.0])
    assert ((low < draws) & (draws < high)).mean() == pytest.approx(0.95, abs=0.001)


def test_the_interval_of_a_mean_ends_where_the_mean_of_the_metrics_does() -> None:
    scores: Scores = {"high": [0.95, 0.97], "low": [0.03, 0.05]}
    moved = np.linspace(-0.2, 0.2, 41)[:, None]
    values = [np.array([scores[m][n] for m in scores], dtype=float) for n in range(2)]
    draws = {
        f"t{n}": Resampled(f"t{n}", tuple(scores), each, each + moved, 3)
        for n, each in enumerate(values)
    }
    over_all = across(list(draws), averages_of(scores), draws)
    assert over_all is not None
    high, low = over_all.standings
    assert (high.method, high.mean_high, low.mean_low) == ("high", 1.0, 0.0)
    assert high.mean_low is not None
    assert 0.7 < high.mean_low < 0.8


def test_without_answers_on_a_task_there_are_means_and_the_reason() -> None:
    made = [*renamed(cells(answered({"a": 0.8, "b": 0.7})), "one")]
    read = reader(made)
    made += renamed(cells(answered({"a": 0.8, "b": 0.7})), "two")
    analysis = analyse(records_of(made, ("one", "two")), read)
    over_all = analysis.across
    assert over_all is not None
    assert over_all.standings[0].mean_low is None
    assert over_all.standings[0].highest is None
    assert over_all.standings[0].rank == 1
    assert (
        "could not be resampled on two (the answers of a, seed 0 are not stored" in over_all.reason
    )
    assert "With other seeds" not in analysis.answer
    assert analyse(records_of(made, ("one", "two"))).across is None


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_answer_has_the_intervals_of_the_highest_mean(seeds: int) -> None:
    right = answered({"a": 0.8, "b": 0.7}, seeds=seeds)
    made = [*renamed(cells(right), "one"), *renamed(cells(right), "two")]
    analysis = analyse(records_of(made, ("one", "two")), reader(made))
    assert analysis.across is not None
    first = analysis.across.standings[0]
    assert f"{first.mean_low:.3f} and {first.mean_high:.3f}" in analysis.answer
    assert f"{first.rank_low:.1f} and {first.rank_high:.1f}" in analysis.answer
    assert ("one seed says nothing of others" in analysis.answer) == (seeds == 1)
    assert analysis.across.one_seed == (seeds == 1)


DESIGNS = [
    # tasks, seeds, examples, spread of the methods' levels, of the seeds
    (2, 3, 277, 0.0, 0.1),
    (2, 5, 277, 0.03, 0.0),
    (6, 3, 277, 0.03, 0.1),
    (6, 5, 277, 0.15, 0.1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds", "examples", "gap", "spread"), DESIGNS)
def test_means_and_ranks_are_covered(
    tasks: int, seeds: int, examples: int, gap: float, spread: float
) -> None:
    # A mean score is covered where it is the expected one. A mean rank is covered where it is what
    # studies like this have on average: their own noise makes ranks more alike.
    generator, studies, methods = np.random.default_rng(tasks), 200, 5
    design = Design(seeds=spread)
    levels = [design.spread * (1 + gap * generator.standard_normal(methods)) for _ in range(tasks)]
    expected = np.array([[design.accuracy(one) for one in each] for each in levels]).mean(0)
    right = [right_answers(design, generator, studies, seeds, examples, each) for each in levels]
    hits, seen, ends = [], [], []
    for study in range(studies):
        scores, draws = [], []
        for of_task in right:
            made = [scored_of(of_task[number, study]) for number in range(methods)]
            score = np.array([np.mean(one.scores) for one in made])
            table = seed_table([dict(zip(one.seeds, one.scores, strict=True)) for one in made])
            error = seed_errors(table, generator, 400) + example_errors(made, generator, 400)
            scores.append(score)
            draws.append(score + error)
        table, drawn = np.array(scores).T, np.stack(draws, -1)
        low, high = symmetric(table.mean(1), drawn.mean(2))
        hits.append((low <= expected) & (expected <= high))
        rank = ranks(table).mean(1)
        seen.append(rank)
        ends.append(symmetric(rank, np.moveaxis(ranks(np.moveaxis(drawn, 0, -1)).mean(1), -1, 0)))
    assert np.mean(hits) >= 0.93
    low, high = np.moveaxis(np.array(ends), 1, 0)
    usual = np.mean(seen, 0)
    assert ((low <= usual) & (usual <= high)).mean() >= 0.93
