"""Scores by training examples: which runs count, and the interval of one method's score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis.claims import Evidence, size_curves
from tunebench.analysis.claims.by_size import interval

from tests.analysis.claims.planted import arm, condition


def curves(*arms):
    return size_curves(Evidence(tuple(arms)))


def test_sizes_are_in_order_and_of_each_the_most_epochs_count() -> None:
    shares = {(5000, 1): 0.9, (100, 1): 0.5, (100, 10): 0.6, (1000, 2): 0.8}
    arms = [
        arm("lora", share, under=condition(examples, epochs))
        for (examples, epochs), share in shares.items()
    ]
    (curve,) = curves(*arms)
    assert (curve.task, curve.method, curve.metric) == ("made-up", "lora", "accuracy")
    assert [(one.examples, one.epochs) for one in curve.points] == [(100, 10), (1000, 2), (5000, 1)]
    assert [one.score for one in curve.points] == pytest.approx([0.6, 0.8, 0.9], abs=0.03)
    assert curve.points[0].runs == arms[2].runs
    assert all(one.low < one.score < one.high for one in curve.points)


def test_one_size_pinned_settings_and_other_protocols_make_no_curve() -> None:
    few, many = condition(100), condition(1000)
    assert curves(arm("lora", 0.6, under=few), arm("lora", 0.8, under=few)) == ()
    assert curves(arm("lora", 0.6, under=few), arm("lora", 0.8, {"rank": 2}, under=many)) == ()
    other = replace(many, protocol='{"lr": 1}')
    assert curves(arm("lora", 0.6, under=few), arm("lora", 0.8, under=other)) == ()
    elsewhere = replace(many, task="another")
    assert curves(arm("lora", 0.6, under=few), arm("lora", 0.8, under=elsewhere)) == ()


def test_tasks_come_in_the_order_of_the_runs_each_with_its_methods() -> None:
    arms = [
        arm(method, 0.7, under=replace(condition(examples), task=task))
        for task in ("stsb", "mrpc")
        for method in ("lora", "full")
        for examples in (100, 1000)
    ]
    named = [(one.task, one.method) for one in curves(*arms)]
    assert named == [("stsb", "lora"), ("stsb", "full"), ("mrpc", "lora"), ("mrpc", "full")]


def test_one_seed_has_a_score_and_no_interval() -> None:
    arms = [arm("lora", 0.7, seeds=1, under=condition(examples)) for examples in (100, 1000)]
    (curve,) = curves(*arms)
    assert {(one.low, one.high, one.seeds) for one in curve.points} == {(None, None, 1)}


def test_altered_answers_have_a_score_and_no_interval() -> None:
    low, high = (arm("lora", 0.7, under=condition(examples)) for examples in (100, 1000))
    object.__setattr__(high.cells[0].result, "score", 0.1)
    (curve,) = curves(low, high)
    assert curve.points[0].low is not None
    assert curve.points[1].low is None


def test_the_interval_covers_the_score_of_other_seeds_and_examples() -> None:
    """Accuracies of seeds x examples with planted effects: 95 % intervals cover the true mean."""
    generator, covered, draws, seeds, tests = np.random.default_rng(7), 0, 400, 5, 200
    shell = arm("lora", 0.7, seeds=seeds, tests=tests)
    for _ in range(draws):
        by_seed = 0.04 * generator.standard_normal((seeds, 1))
        by_example = 0.3 * generator.uniform(-1, 1, (1, tests))
        chance = np.clip(0.6 + by_seed + by_example, 0, 1)
        right = (generator.random((seeds, tests)) < chance).astype(float)
        scored = replace(shell.scored, values=right, scores=tuple(right.mean(1)), step=1.0)
        made = arm("lora", 0.7, seeds=seeds, tests=tests)
        made.__dict__["scored"] = scored
        low, high = interval(made)
        covered += low <= 0.6 <= high
    assert 0.93 <= covered / draws <= 0.995


def test_answers_that_are_all_right_are_not_certain() -> None:
    low, high = interval(arm("lora", 2.0, tests=100))
    assert high == 1.0
    assert 0.9 < low < 0.99


def test_the_interval_ends_at_the_metric_s_own_end() -> None:
    made = arm("lora", 0.9, seeds=2)
    scores = np.array([0.8, 1.0])
    values = np.repeat(scores[:, None], 1000, axis=1)
    made.__dict__["scored"] = replace(made.scored, values=values, scores=tuple(scores))
    assert interval(made) == (0.0, 1.0)
