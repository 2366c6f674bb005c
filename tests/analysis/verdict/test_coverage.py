"""Simulated studies whose truth is known: coverage, Holm's family, equivalence.

Each figure stands on studies that are drawn with a fixed generator. The fast cases are a few of
the same with wide bounds.
"""

from __future__ import annotations

import numpy as np
import pytest
from tunebench.analysis.verdict.crossed import Crossed, crossed

from tests.analysis.verdict.simulate import Design, differences, truth

SIZES = [
    (3, 277, "accuracy"),
    (3, 872, "accuracy"),
    (5, 872, "accuracy"),
    (5, 1043, "accuracy"),
    (5, 1043, "mcc"),
]
"""RTE, SST-2 and CoLA."""
DESIGNS = {
    f"seeds {seeds}, {kind}, gap {gap}": Design(seeds, 1.0, of_method, noise, gap=gap)
    for seeds in (0.0, 0.04, 0.12, 0.3)
    for kind, of_method, noise in (
        ("examples", 0.5, 0.3),
        ("both", 0.35, 0.35),
        ("interaction", 0.0, 0.6),
    )
    for gap in (0.0, 0.15)
}
"""Seed effects of nothing, 1, 3 and 7 points of accuracy; what differs is examples, or the rest."""


def studied(
    design: Design, metric: str, studies: int, seeds: int, examples: int, start: int
) -> list[Crossed]:
    """The difference of two methods in many studies."""
    return [
        crossed(d[i], float(centers[i]))
        for centers, d in differences(design, metric, studies, seeds, examples, start)
        for i in range(len(centers))
    ]


def covered(design: Design, metric: str, studies: int, seeds: int, examples: int) -> float:
    """The share of intervals that hold the true difference."""
    true = truth(design, metric)
    # The truth is in the interval exactly where the p-value of that difference is 5 % or more.
    held = [
        Crossed(one.difference - true, one.parts, one.components, seeds, examples).p() >= 0.05
        for one in studied(design, metric, studies, seeds, examples, 20261130)
    ]
    return float(np.mean(held))


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(("seeds", "examples", "metric"), SIZES)
def test_intervals_cover_the_truth(seeds, examples, metric, name):
    share = covered(DESIGNS[name], metric, 2000, seeds, examples)
    assert share >= 0.93
    assert share <= 0.98 or seeds < 5


@pytest.mark.parametrize("name", ["seeds 0.0, both, gap 0.15", "seeds 0.3, examples, gap 0.0"])
def test_intervals_cover_the_truth_in_a_few_studies(name):
    for seeds, examples, metric in ((3, 277, "accuracy"), (5, 277, "mcc")):
        assert 0.91 <= covered(DESIGNS[name], metric, 300, seeds, examples) <= 0.995


def test_intervals_are_no_wider_than_they_need_be_for_many_seeds():
    """With 20 seeds and 5,000 examples the error is known, and coverage is what it says."""
    share = covered(Design(0.1, gap=0.1), "accuracy", 300, 20, 1000)
    assert 0.92 <= share <= 0.98
