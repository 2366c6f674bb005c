"""Simulated studies whose truth is known: coverage, Holm's family, equivalence.

Each figure stands on studies that are drawn with a fixed generator. The fast cases are a few of
the same with wide bounds.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis.verdict import holm
from tunebench.analysis.verdict.crossed import Crossed, crossed

from tests.analysis.verdict.simulate import Design, differences, right_answers, truth

STEPS = {"accuracy": 1.0, "mcc": 3.0}
"""The range of the pseudo-values of one cell."""
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
        crossed(d[i], float(centers[i]), STEPS[metric])
        for centers, d in differences(design, metric, studies, seeds, examples, start)
        for i in range(len(centers))
    ]


def covered(design: Design, metric: str, studies: int, seeds: int, examples: int) -> float:
    """The share of intervals that hold the true difference."""
    true = truth(design, metric)
    bounds = np.array(
        [one.interval() for one in studied(design, metric, studies, seeds, examples, 20261130)]
    )
    return float(np.mean((bounds[:, 0] <= true) & (true <= bounds[:, 1])))


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
    """With 20 seeds and 1,000 examples the error is well known, and coverage is what it says."""
    share = covered(Design(0.1, gap=0.1), "accuracy", 300, 20, 1000)
    assert 0.92 <= share <= 0.98


METHODS = 8
FAMILIES = {
    "no seed effect": Design(0.0, 1.0, 0.35, 0.35),
    "small seed effect": Design(0.08, 1.0, 0.35, 0.35),
    "large seed effect": Design(0.3, 1.0, 0.5, 0.3),
    "interaction": Design(0.08, 1.0, 0.0, 0.6),
}


def family_wise(design: Design, studies: int, seeds: int, examples: int, equal: int) -> float:
    """The share of studies in which two methods are separated of which neither is better.

    `equal` methods have one level; the others lie so far above them, each on its own, that they are
    told apart and Holm spends less on them.
    """
    generator = np.random.default_rng(8)
    wrong = 0
    for _ in range(studies // 50):
        levels = design.levels(1)[0] + 0.35 * np.maximum(0, np.arange(METHODS) - equal + 1)
        right = right_answers(design, generator, 50, seeds, examples, levels).astype(float)
        for study in range(50):
            pairs = list(itertools.combinations(range(METHODS), 2))
            p = [crossed(right[a, study] - right[b, study], step=1.0).p() for a, b in pairs]
            adjusted = zip(pairs, holm.adjusted(p), strict=True)
            wrong += any(one <= 0.05 for (_, b), one in adjusted if b < equal)
    return wrong / (studies // 50 * 50)


@pytest.mark.slow
@pytest.mark.parametrize("equal", [8, 4])
@pytest.mark.parametrize(("seeds", "examples"), [(3, 277), (5, 872)])
@pytest.mark.parametrize("name", FAMILIES)
def test_holm_keeps_the_family_wise_error(name, seeds, examples, equal):
    # Exactly 5 % are allowed; 2,000 studies see that with a standard error of 0.5 %.
    assert family_wise(FAMILIES[name], 2000, seeds, examples, equal) <= 0.05 + 0.01


def test_holm_keeps_the_family_wise_error_in_a_few_studies():
    assert family_wise(FAMILIES["large seed effect"], 100, 3, 277, 8) <= 0.12


def at_the_margin(design: Design, metric: str, margin: float) -> Design:
    """The same design with the gap that makes the true difference the margin."""
    low, high = 0.0, 2.0
    for _ in range(60):
        middle = (low + high) / 2
        larger = truth(replace(design, gap=middle), metric) > margin
        low, high = (low, middle) if larger else (middle, high)
    return replace(design, gap=high)


def called_equivalent(
    design: Design, metric: str, margin: float, studies: int, seeds: int, examples: int
) -> float:
    """The share of studies that show equivalence."""
    return float(
        np.mean(
            [
                one.p_equivalence(margin) <= 0.05
                for one in studied(design, metric, studies, seeds, examples, 11)
            ]
        )
    )


EDGES = [
    ("accuracy", 0.01, 5, 5000),
    ("accuracy", 0.03, 5, 872),
    ("accuracy", 0.05, 3, 872),
    ("mcc", 0.05, 5, 1043),
]
"""Where the test has the power to go wrong."""


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "margin", "seeds", "examples"), EDGES)
@pytest.mark.parametrize("name", FAMILIES)
def test_equivalence_errs_at_the_edge_of_the_margin_in_5_percent(
    metric, margin, seeds, examples, name
):
    edge = at_the_margin(FAMILIES[name], metric, margin)
    assert truth(edge, metric) == pytest.approx(margin)
    assert called_equivalent(edge, metric, margin, 2000, seeds, examples) <= 0.05 + 0.01


def test_equivalence_errs_at_the_edge_of_the_margin_in_few_studies():
    edge = at_the_margin(FAMILIES["no seed effect"], "accuracy", 0.03)
    assert called_equivalent(edge, "accuracy", 0.03, 300, 5, 872) <= 0.09
    # And it is shown where it is true.
    same = FAMILIES["no seed effect"]
    assert called_equivalent(same, "accuracy", 0.05, 300, 5, 872) > 0.5


@pytest.mark.parametrize("examples", [100, 277, 872, 3000])
@pytest.mark.parametrize(("up", "down"), [(0.01, 0.0), (0.015, 0.005), (0.03, 0.02)])
@pytest.mark.parametrize("each_seed_alike", [True, False])
def test_few_answers_that_differ_are_no_proof_of_equivalence(examples, up, down, each_seed_alike):
    """A true difference of one point, of which few examples show anything: a normal
    approximation alone calls one in four of these studies equivalent.
    """
    generator = np.random.default_rng(12)
    wrong = 0
    for _ in range(1000):
        draws = generator.random((1 if each_seed_alike else 3, examples))
        d = np.where(draws < up, 1.0, np.where(draws < up + down, -1.0, 0.0))
        one = crossed(np.broadcast_to(d, (3, examples)), step=1.0)
        wrong += one.p_equivalence(0.01) <= 0.05
    assert wrong / 1000 <= 0.05 + 0.02
