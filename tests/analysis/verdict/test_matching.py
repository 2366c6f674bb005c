"""Which cells are compared example by example, and the sentence where they cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis import Predictions
from tunebench.analysis.cells import Cell
from tunebench.analysis.verdict.matching import matched, scored
from tunebench.analysis.verdict.pseudo_values import CannotPair

from tests.analysis.verdict.made_up import cell, cells, task

LABELS = [0, 1] * 10
"""Of twenty examples."""


def hits(seeds: int = 3, examples: int = 20, start: int = 0) -> np.ndarray:
    return np.random.default_rng(start).random((seeds, examples)) < 0.7


def of_method(method: str = "lora", **how) -> list[Cell]:
    return cells({method: hits(**how)})


def with_answers(one: Cell, **changes) -> Cell:
    assert one.predictions is not None
    return replace(one, predictions=replace(one.predictions, **changes))


def with_record(one: Cell, **changes) -> Cell:
    return replace(one, result=replace(one.result, **changes))


def test_every_complete_seed_is_there_with_its_score():
    one = scored(of_method())
    assert one.seeds == (0, 1, 2)
    assert one.values == pytest.approx(hits().astype(float))
    assert one.scores == pytest.approx(tuple(hits().mean(-1)))
    assert (one.metric, one.step, one.seconds) == ("accuracy", pytest.approx(1), 10)


@pytest.mark.parametrize("status", ["error", "diverged", "missing"])
def test_a_cell_that_did_not_complete_is_left_out(status):
    some = of_method()
    some[1] = with_record(some[1], status=status, score=None)
    assert scored(some).seeds == (0, 2)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda c: replace(c, predictions=None), "the answers of lora, seed 1 are not stored"),
        (lambda c: with_record(c, score=None), "lora, seed 1 has no score"),
        (lambda c: with_record(c, score=float("nan")), "lora, seed 1 has no score"),
        (
            lambda c: with_record(c, metric="mcc"),
            "the seeds of lora are scored by accuracy and mcc",
        ),
        (
            lambda c: with_answers(c, predictions=("no",) * 20),
            "the stored answers of lora, seed 1 give accuracy 0.50000 where its record says 0",
        ),
        (lambda c: with_answers(c, predictions=("no",) * 19), "not one for each test example"),
        (lambda c: with_answers(c, ids=tuple(range(20))), "tested on different test examples"),
        (
            lambda c: with_answers(c, labels=("no",) * 20),
            "the seeds of lora were tested on test examples with different labels",
        ),
    ],
)
def test_a_complete_cell_that_cannot_be_used_says_why(damage, reason):
    some = of_method()
    some[1] = damage(some[1])
    with pytest.raises(CannotPair, match=reason):
        scored(some)


def test_one_answer_that_was_altered_is_seen():
    some = of_method(examples=872)
    answers = list(some[2].predictions.predictions)
    answers[5] = "no" if answers[5] == "yes" else "yes"
    some[2] = with_answers(some[2], predictions=tuple(answers))
    with pytest.raises(CannotPair, match="so one of them was altered"):
        scored(some)


def test_what_a_metric_needs_is_said_of_the_cell():
    some = [with_record(one, metric="exact_match") for one in of_method()]
    with pytest.raises(CannotPair, match="lora, seed 0: the metric 'exact_match' is none of"):
        scored(some)


def test_no_complete_seed():
    some = [with_record(one, status="error") for one in of_method()]
    with pytest.raises(CannotPair, match="no seed of lora is complete"):
        scored(some)


def test_two_methods_meet_on_the_seeds_that_both_have():
    first, second = of_method(), of_method("head", start=1)
    second[0] = with_record(second[0], status="error")
    a, b = matched(scored(first), scored(second))
    assert a.seeds == b.seeds == (1, 2)
    assert a.scores == pytest.approx(tuple(hits()[1:].mean(-1)))
    assert b.values == pytest.approx(hits(start=1)[1:].astype(float))


def test_seeds_are_paired_by_number_and_not_by_place():
    second = of_method("head", start=1)
    a, b = matched(scored(of_method()), scored(second[::-1]))
    assert a.seeds == b.seeds == (0, 1, 2)
    assert b.values == pytest.approx(hits(start=1).astype(float))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (
            [cell("head", 0, task(["mcc"]), LABELS, [1, 0, *LABELS[2:]])],
            "they are scored by accuracy and mcc",
        ),
        (
            of_method("head", examples=22),
            r"they were tested on different test examples \(20 and 22\)",
        ),
        (
            [with_answers(c, ids=c.predictions.ids[::-1]) for c in of_method("head")],
            "they were tested on different test examples",
        ),
        (
            cells({"head": hits()}, np.array(LABELS[::-1])),
            "they were tested on test examples with different labels",
        ),
        (
            [with_record(c, seed=c.result.seed + 7) for c in of_method("head")],
            "they have no complete seed in common",
        ),
    ],
)
def test_methods_that_cannot_be_compared_say_why(other, reason):
    with pytest.raises(CannotPair, match=reason):
        matched(scored(of_method()), scored(other))


def test_training_times_are_averaged_where_they_are_known():
    some = of_method()
    some[0] = with_record(some[0], train_seconds=None)
    some[1] = with_record(some[1], train_seconds=20.0)
    assert scored(some).seconds == 15
    assert scored([with_record(one, train_seconds=None) for one in some]).seconds is None


def test_labels_that_are_lists_are_compared_too():
    lists = Predictions((0, 1), (["a"], ["b"]), (["a"], ["a"]))
    some = [replace(with_record(c, score=0.5), predictions=lists) for c in of_method(seeds=2)]
    assert scored(some).values.tolist() == [[1, 0], [1, 0]]
