"""Scores drawn anew: the error of pairs and of folds, and plain resampling where that holds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tunebench.analysis.cells import Cell
from tunebench.analysis.folds import corrected_half_width
from tunebench.analysis.verdict.bootstrap import (
    cell_table,
    example_covariance,
    resampled,
    seed_errors,
    seed_table,
)
from tunebench.analysis.verdict.crossed import crossed
from tunebench.analysis.verdict.matching import Scored, scored
from tunebench.records import Fold

from tests.analysis.planted import answered, renamed
from tests.analysis.verdict.made_up import cells
from tests.analysis.verdict.simulate import Design, right_answers

TASK = "made-up"
MANY = 100_000


def scored_of(right: np.ndarray[Any, Any], method: str = "a") -> Scored:
    """One method by which examples (S N) it answers right."""
    values = np.asarray(right, dtype=float)
    seeds, scores = tuple(range(len(values))), tuple(values.mean(1).tolist())
    return Scored(method, "accuracy", seeds, scores, values, 1.0, (), (), 1.0)


def drawn_study(seeds: int, examples: int, spread: float = 0.3) -> np.ndarray[Any, Any]:
    """Right answers of three methods (3 S N)."""
    generator = np.random.default_rng(4)
    return right_answers(Design(seeds=spread), generator, 1, seeds, examples, np.ones(3))[:, 0]


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_difference_has_the_error_that_its_pair_has(seeds: int) -> None:
    made = cells(dict(zip("abc", drawn_study(seeds, 300), strict=True)))
    draws = resampled(made, TASK, MANY)
    kept = [scored([c for c in made if c.result.method == m]) for m in "abc"]
    for i, j in itertools.combinations(range(3), 2):
        one, two = kept[i], kept[j]
        pair = crossed(one.values - two.values, step=1.0)
        assert pair.components.examples > 0, "the planted examples differ"
        gap = draws.draws[:, i] - draws.draws[:, j]
        low, high = np.quantile(gap, (0.025, 0.975))
        assert np.median(gap) == pytest.approx(pair.difference, abs=0.001)
        for seen, wanted in zip((low, high), pair.interval(), strict=True):
            assert seen == pytest.approx(wanted, rel=0.06, abs=0.002)


def test_many_seeds_agree_with_rows_and_columns_drawn_anew() -> None:
    # What seed and example do together would count in both parts of a plain bootstrap.
    generator = np.random.default_rng(0)
    right = drawn_study(60, 250).astype(float)
    made = [scored_of(each, name) for name, each in zip("abc", right, strict=True)]
    plain = np.array(
        [
            right[:, generator.integers(60, size=60)][:, :, generator.integers(250, size=250)]
            .mean((1, 2))
            for _ in range(4000)
        ]
    )  # fmt: skip
    table = seed_table([dict(zip(one.seeds, one.scores, strict=True)) for one in made])
    seeds = np.cov(seed_errors(table, generator, MANY).T)
    ours = np.sqrt(np.diag(seeds + example_covariance(made)))
    assert ours == pytest.approx(plain.std(0), rel=0.06)


def test_three_seeds_are_student_s_t_and_not_three_numbers_drawn_anew() -> None:
    table = np.array([[0.71, 0.74, 0.78], [0.70, 0.70, 0.70]])
    errors = seed_errors(table, np.random.default_rng(1), MANY)
    wanted = stats.t.ppf([0.75, 0.975, 0.995], 2) * table[0].std(ddof=1) / np.sqrt(3)
    assert np.quantile(errors[:, 0], [0.75, 0.975, 0.995]) == pytest.approx(wanted, rel=0.06)
    assert np.abs(errors[:, 1]).max() == pytest.approx(0, abs=1e-12)
    drawn = table[0][np.random.default_rng(2).integers(3, size=(MANY, 3))].mean(1)
    assert np.quantile(drawn - drawn.mean(), 0.975) < wanted[1] / 2


def test_seeds_that_methods_share_are_drawn_together() -> None:
    scores = np.array([[0.70, 0.75, 0.80, 0.71], [0.60, 0.65, 0.70, 0.61]])
    errors = seed_errors(scores, np.random.default_rng(1), 500)
    assert errors[:, 0] == pytest.approx(errors[:, 1], abs=1e-12)
    fewer = np.array([[0.70, 0.75, 0.80, 0.71], [0.60, 0.65, np.nan, np.nan]])
    errors = seed_errors(fewer, np.random.default_rng(1), MANY)
    width = np.quantile(errors, 0.975, axis=0)
    wanted = [
        stats.t.ppf(0.975, 3) * scores[0].std(ddof=1) / 2,
        stats.t.ppf(0.975, 1) * fewer[1, :2].std(ddof=1) / np.sqrt(2),
    ]
    assert width == pytest.approx(wanted, rel=0.08)


def test_one_seed_leaves_the_examples_alone() -> None:
    made = cells(answered({"a": 0.8, "b": 0.7}, seeds=1))
    draws = resampled(made, TASK, MANY)
    assert draws.seeds == 1
    right = np.array([np.array(cell.predictions.right, dtype=float) for cell in made])
    assert np.cov(draws.draws.T) == pytest.approx(np.cov(right) / right.shape[1], rel=0.05)


def folded(made: list[Cell], folds: int) -> list[Cell]:
    """Each seed of these cells as a fold of one file."""
    return [
        replace(
            cell,
            result=replace(cell.result, task=f"mine-fold{cell.result.seed + 1}", seed=0),
            fold=Fold("mine", cell.result.seed + 1, folds),
        )
        for cell in made
    ]


def test_folds_have_nadeau_and_bengio_s_error() -> None:
    made = folded(cells(answered({"a": 0.8, "b": 0.7}, seeds=4, examples=60)), 4)
    draws = resampled(made, "mine", MANY)
    assert draws.folds
    assert draws.seeds == 4
    ratio = 60 / (400 + 100)
    for number, method in enumerate("ab"):
        scores = [cell.result.score for cell in made if cell.result.method == method]
        half = np.quantile(np.abs(draws.draws[:, number] - np.mean(scores)), 0.95)
        assert half == pytest.approx(corrected_half_width(scores, ratio), rel=0.05)
    gone = resampled(made[:-1], "mine")
    assert gone.methods == ("a",)
    assert gone.missing == {"b": "b is not complete in every fold"}


def test_a_task_gives_the_same_draws_each_time_and_another_one_others() -> None:
    made = cells(answered({"a": 0.8, "b": 0.7}, seeds=3, examples=50))
    first, again = resampled(made, TASK), resampled(made, TASK)
    assert (first.draws == again.draws).all()
    other = resampled(renamed(made, "other"), "other")
    assert abs(np.corrcoef(first.draws[:, 0], other.draws[:, 0])[0, 1]) < 0.1


def test_what_cannot_be_resampled_has_its_reason() -> None:
    made = cells(answered({"a": 0.8, "b": 0.7, "c": 0.6}, seeds=2, examples=50))
    made = [replace(c, predictions=None) if c.result.method == "b" else c for c in made]
    made = [
        replace(c, predictions=replace(c.predictions, ids=tuple(range(50))))
        if c.result.method == "c"
        else c
        for c in made
    ]
    draws = resampled(made, TASK)
    assert draws.methods == ("a",)
    assert "not stored" in draws.missing["b"]
    assert "different test examples" in draws.missing["c"]
    assert draws.of("b") is None
    assert draws.of("a") is not None
    nothing = resampled([], TASK)
    assert nothing.methods == ()
    assert nothing.draws.shape[1] == 0


def test_measurements_stand_by_fold_and_seed() -> None:
    made = cells(answered({"a": 0.8, "b": 0.7}, seeds=2, examples=20))
    memory = {("a", 0): 5.0, ("a", 1): 7.0, ("b", 1): 3.0, ("b", 0): None}
    made = [
        replace(c, result=replace(c.result, peak_memory_mib=memory[c.result.method, c.result.seed]))
        for c in made
    ]
    table = cell_table(made, ("a", "b"), "peak_memory_mib")
    assert np.array_equal(table, [[5.0, 7.0], [np.nan, 3.0]], equal_nan=True)
    failed = [replace(c, result=replace(c.result, status="error")) for c in made]
    assert np.isnan(cell_table(failed, ("a", "b"), "latency_ratio")).all()


@pytest.mark.parametrize("methods", [0, 1, 3])
def test_there_is_a_column_of_errors_for_each_method(methods: int) -> None:
    table = np.arange(methods * 4, dtype=float).reshape(methods, 4)
    errors = seed_errors(table, np.random.default_rng(0), 10)
    assert errors.shape == (10, methods)
    assert np.isfinite(errors).all()
