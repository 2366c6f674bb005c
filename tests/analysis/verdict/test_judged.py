"""What a report says of the looks, and which verdict a comparison asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis.verdict import Judged, Sequential, TaskVerdict, judge, margin_of, verdict
from tunebench.analysis.verdict.sequential import LOOKS, share
from tunebench.records import Comparison, Fold

from tests.analysis.verdict.made_up import cells
from tests.records import comparison

RIGHT = {
    "lora": np.random.default_rng(0).random((3, 80)) < 0.8,
    "head": np.random.default_rng(1).random((3, 80)) < 0.75,
}
UNDECIDED = verdict(cells(RIGHT), "made-up")
DECIDED = replace(UNDECIDED, pairs=tuple(replace(p, verdict="better") for p in UNDECIDED.pairs))


def asked(**experiment: object) -> Comparison:
    """A comparison of these methods with such settings."""
    return replace(comparison(), methods=("lora", "head"), experiment=experiment)


def test_the_shares_of_the_looks_are_those_of_docs_protocol() -> None:
    points = [100 * share(look) for look in LOOKS]
    assert points == pytest.approx([0.29, 0.33, 0.64, 1.06, 2.68], abs=0.005)


@pytest.mark.parametrize(
    ("of", "look", "following", "ended", "sentence"),
    [
        (UNDECIDED, 0, 3, False, "The first look is at 3 seeds, and these are not all there yet."),
        (
            UNDECIDED,
            5,
            8,
            False,
            "This is the look at 5 seeds, at which a p up to 0.0033 counts. The one at 8 was not "
            "reached: the same command goes on with it.",
        ),
        (
            UNDECIDED,
            12,
            12,
            True,
            "The looks ended at 12 seeds, at which a p up to 0.011 counts: the pairs that are "
            "undecided have little chance to be decided by 20.",
        ),
        (UNDECIDED, 20, 20, True, "This is the last look, at 20 seeds, at which a p up to 0.027 "),
        (DECIDED, 20, 20, True, "Every pair was decided by 20 seeds."),
        (DECIDED, 8, 8, True, "Every pair was decided by 8 seeds."),
    ],
)
def test_a_sentence_says_which_look_it_is_and_what_counts_at_it(
    of: TaskVerdict, look: int, following: int, ended: bool, sentence: str
) -> None:
    looks = Sequential(of, look, {"lora": following, "head": 3}, ended)
    assert Judged(of, looks).progress.startswith(sentence)


def test_without_looks_there_is_nothing_to_say_of_them() -> None:
    judged = judge(asked(margin=0.02), cells(RIGHT), "made-up")
    assert (judged.looks, judged.progress, judged.verdict.margin) == (None, "", 0.02)
    assert judged.verdict.pairs == verdict(cells(RIGHT), "made-up", 0.02).pairs


def test_looks_are_taken_where_they_were_asked_for() -> None:
    judged = judge(asked(until="decided"), cells(RIGHT), "made-up")
    assert judged.looks is not None
    assert (judged.looks.look, judged.verdict) == (3, judged.looks.verdict)


def test_folds_are_no_independent_repetitions() -> None:
    folded = replace(asked(), folds={"a-fold1": Fold("made-up", 1, 2)})
    judged = judge(folded, cells(RIGHT), "made-up")
    assert judged.verdict.pairs == ()
    assert judged.verdict.reason.startswith("Folds share training rows")


@pytest.mark.parametrize("stored", [None, "0.02", 0, 1, -1.0, True, float("nan")])
def test_a_margin_in_a_record_that_is_none_is_not_taken(stored: object) -> None:
    assert margin_of(asked(margin=stored)) == 0.01
