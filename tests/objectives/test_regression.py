"""A regression's scores where a correlation is not defined, and its scale both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scipy import stats
from tunebench.data.tasks import GLUE
from tunebench.objectives import get_objective

VALUES = [0.5, 4.0, 2.5, 3.0]


@pytest.mark.parametrize(
    ("answers", "labels"),
    [([2.0] * 4, VALUES), (VALUES, [2.0] * 4), ([1.0] * 4, [2.0] * 4)],
    ids=["constant answers", "constant labels", "both constant"],
)
def test_what_is_constant_correlates_with_nothing(
    answers: list[float], labels: list[float]
) -> None:
    scores = get_objective("regression").score(GLUE["stsb"], answers, labels)
    assert scores == {"pearson": 0.0, "spearman": 0.0}


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_what_varies_has_the_correlation_of_scipy(name: str) -> None:
    answers, labels = [0.5, 3.0, 3.0, 2.0, 8.0], [*VALUES, 5.0]
    oracle = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}[name]
    scores = get_objective("regression").score(GLUE["stsb"], answers, labels)
    assert scores[name] == pytest.approx(oracle(answers, labels).statistic, abs=1e-6)
    assert abs(scores[name]) > 0.1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 19, 20, 21, 47])
def test_strata_are_at_most_ten_bins_of_equal_size_by_rank(count: int) -> None:
    labels = [float(n * 7 % 5) for n in range(count)]
    ids = [f"{n * 11 % count:02d}" for n in range(count)]
    strata = get_objective("regression").strata(GLUE["stsb"], ids, labels)
    sizes = [len(stratum.rows) for stratum in strata]
    # A row for either side of a split, as far as there are rows.
    assert len(strata) == max(1, min(10, count // 2))
    assert max(sizes) - min(sizes) <= 1
    ranked = [row for stratum in strata for row in stratum.rows]
    assert sorted(ranked) == [*range(count)]
    places = [(labels[row], ids[row]) for row in ranked]
    assert places == sorted(places)
    assert [stratum.name for stratum in strata] == [f"bin {n + 1}" for n in range(len(strata))]


def test_a_regression_of_pairs_alone_compares_them() -> None:
    regression, pairs = get_objective("regression"), GLUE["stsb"]
    assert regression.compares_pairs(pairs)
    assert not regression.compares_pairs(replace(pairs, text=pairs.text[:1]))
