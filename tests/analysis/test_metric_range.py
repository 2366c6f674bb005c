"""From where to where a metric goes, and intervals that end there."""

from __future__ import annotations

import math

import pytest
from tunebench.analysis.metric_range import clipped, clipped_difference, components, metric_range
from tunebench.objectives import get_objective, names


@pytest.mark.parametrize(
    ("metric", "parts"),
    [
        ("mcc", ("mcc",)),
        ("mean(accuracy, f1)", ("accuracy", "f1")),
        ("f1:mean(a, b)", ("f1:mean(a, b)",)),
    ],
)
def test_the_parts_of_a_score_are_in_its_name(metric, parts):
    assert components(metric) == parts


@pytest.mark.parametrize("objective", names())
def test_every_metric_of_ours_has_a_range_and_reaches_its_upper_end(objective: str) -> None:
    for metric in get_objective(objective).metrics:
        low, high = metric_range(metric)
        assert -1.0 <= low <= 0.0
        assert high == 1.0


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", (0.0, 1.0)),
        ("mcc", (-1.0, 1.0)),
        ("f1:urgent", (0.0, 1.0)),
        ("mean(pearson, spearman)", (-1.0, 1.0)),
        ("mean(accuracy, mcc)", (-0.5, 1.0)),
        ("perplexity", (-math.inf, math.inf)),
        ("mean(accuracy, perplexity)", (-math.inf, math.inf)),
        ("", (-math.inf, math.inf)),
    ],
)
def test_the_range_of_a_mean_is_the_mean_of_the_ranges(metric, expected) -> None:
    assert metric_range(metric) == expected


def test_an_interval_ends_where_the_metric_does() -> None:
    assert clipped(0.151, 1.415, "accuracy") == (0.151, 1.0)
    assert clipped(-0.2, 0.3, "f1") == (0.0, 0.3)
    assert clipped(-0.2, 0.3, "mcc") == (-0.2, 0.3)
    assert clipped(-9.0, 1.415, "somebody's own") == (-9.0, 1.415)
    # Rounding can put a perfect score above 1: its interval is that one point, not an empty one.
    assert clipped(1.0 + 1e-9, 1.2, "accuracy") == (1.0, 1.0)


def test_two_scores_are_no_further_apart_than_the_metric_is_wide() -> None:
    assert clipped_difference(-1.2, 0.3, "accuracy") == (-1.0, 0.3)
    assert clipped_difference(-1.2, 2.3, "mcc") == (-1.2, 2.0)
    assert clipped_difference(-9.0, 9.0, "somebody's own") == (-9.0, 9.0)
