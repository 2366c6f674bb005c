"""Every pair of a task: its numbers, its verdict, and no verdict where there can be none."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests
from tunebench.analysis.verdict import TaskVerdict, verdict
from tunebench.analysis.verdict.crossed import crossed
from tunebench.errors import UserError

from tests.analysis.verdict.made_up import cell, cells, task


def study(
    shares: dict[str, float], seeds: int = 5, examples: int = 600, noise: float = 0.3, start=0
) -> dict[str, np.ndarray]:
    """Method → right answers: examples are as hard for all methods and seeds, but for noise."""
    generator = np.random.default_rng(start)
    hard = generator.random(examples)
    return {
        method: hard + noise * (generator.random((seeds, examples)) - 0.5) < share
        for method, share in shares.items()
    }


def judged(right: dict[str, np.ndarray], **how) -> TaskVerdict:
    return verdict(cells(right), "made-up", **how)


def only(result: TaskVerdict):
    (pair,) = result.pairs
    return pair


def test_a_pair_has_the_numbers_of_its_seeds_and_examples():
    right = study({"lora": 0.8, "head": 0.7})
    pair = only(judged(right))
    one = crossed(right["lora"].astype(float) - right["head"])
    assert (pair.task, pair.metric, pair.a, pair.b) == ("made-up", "accuracy", "lora", "head")
    assert pair.difference == pytest.approx(right["lora"].mean() - right["head"].mean())
    assert (pair.low, pair.high) == pytest.approx(one.interval())
    assert pair.p == pair.p_holm == pytest.approx(one.p())
    assert (pair.seeds, pair.examples) == (5, 600)
    assert (pair.verdict, pair.better, pair.worse) == ("better", "lora", "head")
    assert pair.to_decide is None


def test_the_worse_of_a_pair_may_be_named_first():
    pair = only(judged(study({"head": 0.7, "lora": 0.8})))
    assert pair.difference < 0
    assert (pair.better, pair.worse) == ("lora", "head")


def test_the_center_is_the_difference_of_the_scores_in_the_table():
    """Not the mean of the pseudo-values, which the jackknife moves by its estimate of the bias."""
    of = task(["mcc"])
    generator = np.random.default_rng(0)
    labels = (generator.random(80) < 0.7).astype(int)
    made = []
    for method, share in (("lora", 0.9), ("head", 0.7)):
        for seed in range(3):
            hit = generator.random(80) < share
            answers = np.where(hit, labels, 1 - labels)
            made.append(cell(method, seed, of, labels.tolist(), answers.tolist()))
    scores = [c.result.score for c in made]
    pair = only(verdict(made, "made-up"))
    assert pair.difference == pytest.approx(np.mean(scores[:3]) - np.mean(scores[3:]), abs=1e-12)


def test_holm_is_over_the_pairs_of_the_task():
    result = judged(study({"a": 0.80, "b": 0.795, "c": 0.77, "d": 0.7}))
    assert [(p.a, p.b) for p in result.pairs] == list(itertools.combinations("abcd", 2))
    adjusted = multipletests([p.p for p in result.pairs], method="holm")[1]
    assert [p.p_holm for p in result.pairs] == pytest.approx(adjusted)
    for pair in result.pairs:
        assert (pair.verdict == "better") == (pair.p_holm <= 0.05)
    assert len({p.verdict for p in result.pairs}) > 1


def test_another_task_s_cells_are_passed_over():
    here, there = cells(study({"a": 0.8, "b": 0.7})), cells(study({"a": 0.8, "c": 0.7}))
    moved = [replace(c, result=replace(c.result, task="other")) for c in there]
    assert verdict([*here, *moved], "made-up") == verdict(here, "made-up")


def test_equal_answers_on_many_examples_are_equivalent_and_share_a_letter():
    right = study({"a": 0.8}, examples=1000)
    result = judged(right | {"b": right["a"]})
    assert only(result).verdict == "equivalent"
    assert only(result).to_decide is None
    assert result.letters == {"a": "a", "b": "a"}


def test_equal_answers_on_few_examples_show_nothing():
    right = study({"a": 0.8}, examples=100)
    assert only(judged(right | {"b": right["a"]})).verdict == "undecided"


def test_the_margin_decides_what_counts_as_equal():
    right = study({"a": 0.8, "b": 0.8}, examples=1500, noise=0.1)
    assert only(judged(right, margin=0.05)).verdict == "equivalent"
    narrow = only(judged(right, margin=0.0005))
    assert narrow.verdict == "undecided"
    assert narrow.p_equivalence > only(judged(right, margin=0.05)).p_equivalence


@pytest.mark.parametrize("margin", [0, 0.0, -0.01, float("nan"), float("inf")])
def test_a_margin_that_is_none_is_refused_in_one_line(margin):
    with pytest.raises(UserError, match=r"^margin: must be a number > 0, but got .*$"):
        judged(study({"a": 0.8, "b": 0.7}), margin=margin)


def test_one_seed_is_the_examples_alone_and_no_verdict():
    result = judged(study({"a": 0.9, "b": 0.5}, seeds=1))
    pair = only(result)
    assert pair.verdict == "examples alone"
    assert pair.p < 0.001
    assert pair.better == pair.worse == ""
    assert pair.smallest_seen is None
    assert pair.to_decide is not None
    assert result.letters == {}
    assert result.reason.startswith("One seed is no verdict")


def test_one_seed_in_common_is_the_examples_alone_for_that_pair_only():
    right = study({"a": 0.9, "b": 0.8, "c": 0.5})
    made = [c for c in cells(right) if c.result.method != "c" or c.result.seed == 2]
    result = verdict(made, "made-up")
    kinds = {(p.a, p.b): (p.verdict == "examples alone", p.seeds) for p in result.pairs}
    assert kinds == {("a", "b"): (False, 5), ("a", "c"): (True, 1), ("b", "c"): (True, 1)}
    assert (
        result.reason == "With one seed in common there is no verdict on a beside c and b beside c."
    )
    assert set(result.letters) == {"a", "b"}


def test_pairs_of_one_seed_do_not_ease_the_level_of_the_others():
    """Their p-values know nothing of seeds; counted in, their tiny ones would use up the family."""
    right = study({"a": 0.9, "b": 0.5, "c": 0.7, "d": 0.5})
    made = [c for c in cells(right) if c.result.method in "ab" or c.result.seed == 2]
    result = verdict(made, "made-up")
    several = result.pair("a", "b")
    assert several.p == several.p_holm
    others = [pair for pair in result.pairs if pair is not several]
    adjusted = multipletests([pair.p for pair in others], method="holm")[1]
    assert [pair.p_holm for pair in others] == pytest.approx(adjusted)


def test_letters_are_those_of_the_verdicts_and_a_is_the_best():
    result = judged(study({"low": 0.5, "high": 0.9, "other": 0.9}, noise=0.3))
    assert result.letters["high"] == result.letters["other"] == "a"
    assert result.letters["low"] == "b"
    for pair in result.pairs:
        shared = set(result.letters[pair.a]) & set(result.letters[pair.b])
        assert bool(shared) == (pair.verdict != "better")


def test_one_method_has_nothing_to_be_compared_with():
    result = judged(study({"lora": 0.8}))
    assert result.pairs == ()
    assert result.letters == {}
    assert result.reason == "lora is the only method: there is nothing to compare it with."


def test_no_cell_at_all():
    result = verdict([], "made-up")
    assert (result.pairs, result.reason) == ((), "No cell of this task is there.")


def test_a_method_that_cannot_be_compared_takes_only_its_own_pairs():
    made = cells(study({"a": 0.9, "b": 0.8, "c": 0.5}))
    made[-1] = replace(made[-1], predictions=None)
    result = verdict(made, "made-up")
    assert [(p.a, p.b) for p in result.pairs] == [("a", "b")]
    cause = "the answers of c, seed 4 are not stored or cannot be read"
    assert result.reason == f"c is not compared: {cause}."
    assert [one.reason for one in result.unpaired] == [
        f"a and c are not compared: {cause}.",
        f"b and c are not compared: {cause}.",
    ]


def test_failed_cells_leave_the_seeds_that_both_completed():
    made = cells(study({"a": 0.9, "b": 0.8}))
    failed = replace(made[0].result, status="error", score=None, predictions="")
    made[0] = replace(made[0], result=failed, predictions=None)
    pair = only(verdict(made, "made-up"))
    assert pair.seeds == 4


def test_methods_with_other_test_sets_are_named_once():
    made = [*cells(study({"a": 0.9})), *cells(study({"b": 0.8}, examples=500))]
    result = verdict(made, "made-up")
    assert result.pairs == ()
    assert result.reason == (
        "a and b are not compared: they were tested on different test examples (600 and 500)."
    )


def test_a_pair_is_named_in_either_order():
    result = judged(study({"a": 0.9, "b": 0.8, "c": 0.5}))
    assert result.pair("c", "a") == result.pair("a", "c") == result.pairs[1]
    assert result.pair("a", "z") is None
