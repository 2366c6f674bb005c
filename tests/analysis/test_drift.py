"""How far a cell moved between two environments, and what the sentence claims of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tunebench.analysis.drift import (
    Rerun,
    changes,
    drifts,
    environment_of,
    is_copy,
    rerun,
    same_run,
    summary,
)
from tunebench.analysis.predictions import Predictions
from tunebench.records import Result

from tests.records import result

HERE = {"torch": "2.0", "threads": "1", "code": "aa", "method code": "bb"}


def cell(seed: int = 0, score: float = 0.8, finished: str = "2026-01-01", **more: Any) -> Result:
    """A complete cell."""
    environment = more.pop("environment", HERE)
    known = result("sst2", "lora", seed)
    return replace(known, score=score, finished=finished, environment=environment, **more)


def answers(*labels: str, p: float = 0.9) -> Predictions:
    """Answers to as many examples."""
    ids = tuple(f"row{n}" for n in range(len(labels)))
    return Predictions(ids, labels, labels, {"probability_x": [p] * len(labels)})


def test_what_differs_is_named_with_both_values_and_a_digest_only_as_another_state() -> None:
    other = {**HERE, "threads": "2", "code": "cc"}
    assert changes(cell(), cell(environment=other)) == (
        "threads 1 → 2",
        "another state of the code",
    )
    assert changes(cell(), cell()) == ()


def test_an_older_record_has_what_it_knew() -> None:
    older = cell(environment={}, versions={"torch": "1.9"}, origin={"device": "cpu"})
    assert environment_of(older) == {"torch": "1.9", "device": "cpu"}
    # What only one of them has says nothing of a difference.
    assert changes(older, cell()) == ("torch 1.9 → 2.0",)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"hyperparameters": {"lr": 0.5}},
        {"data_digest": "other"},
        {"backbone_digest": "other"},
        {"template": "{text} is"},
        {"status": "error"},
        {"score": None},
    ],
)
def test_only_the_environment_may_differ(other: dict[str, Any]) -> None:
    later = cell(finished="2026-02-02")
    assert same_run(cell(), later)
    assert not same_run(cell(), replace(later, **other))
    assert rerun(cell(), replace(later, **other), lambda row: None) is None


def test_the_earlier_record_comes_first_wherever_it_lies() -> None:
    main, other = cell(score=0.8), cell(score=0.7, finished="2025-01-01")
    pair = rerun(main, other, lambda row: None)
    assert pair is not None
    assert (pair.then.score, pair.now.score) == (0.7, 0.8)
    pair = rerun(other, main, lambda row: None)
    assert pair is not None
    assert (pair.then.score, pair.now.score) == (0.7, 0.8)


def test_a_copy_of_a_record_is_no_second_training() -> None:
    copy = replace(cell(), adapter="", predictions="drift/x.parquet")
    assert is_copy(cell(), copy)
    assert rerun(cell(), copy, lambda row: None) is None
    assert not is_copy(cell(), replace(copy, finished="2026-01-02"))


def test_means_changes_and_the_spread_of_the_seeds() -> None:
    rows = [cell(seed, score) for seed, score in enumerate((0.80, 0.82, 0.90))]
    rows += [replace(rows[0], method="head", score=0.1), replace(rows[0], status="error", seed=3)]
    other = {**HERE, "threads": "2"}
    pairs = [
        Rerun(
            rows[seed],
            replace(rows[seed], score=score, environment=other),
            answers("a", "b", "a", "b"),
            answers("a", "b", "b", changed, p=0.7),
        )
        for seed, score, changed in ((0, 0.81, "b"), (1, 0.85, "a"))
    ]
    ((change, (one,)),) = drifts(pairs, rows).items()
    assert change == ("threads 1 → 2",)
    assert one.seeds == (0, 1)
    assert (one.then, one.now) == pytest.approx((0.81, 0.83))
    assert one.difference == pytest.approx(0.02)
    assert (one.answers, one.changed) == (8, 3)
    assert one.moved == pytest.approx(0.2)
    # Of 0.80, 0.82 and 0.90, by hand.
    assert one.spread == pytest.approx(0.0529, abs=1e-4)
    assert summary({change: (one,)}) == (
        "drift: 2 cells run again, 3 of 8 predictions changed; the largest difference of scores is "
        "+0.020 (lora on sst2), less than the seeds' standard deviation of 0.053"
    )


def test_equal_answers_are_no_drift_and_a_number_that_moved_is_named() -> None:
    def of(p: float, stored: bool = True) -> str:
        now = answers("a", "b", p=p) if stored else None
        pair = Rerun(cell(), cell(finished="2026-02-02"), answers("a", "b"), now)
        return summary(drifts([pair], [cell()]))

    assert of(0.9) == "no drift: one cell run again, all predictions equal"
    assert of(0.8999) == (
        "no drift: one cell run again, all predictions equal; a number moved by up to 0.0001"
    )
    assert of(0.9, stored=False).startswith("no drift of scores: one cell run again; not all")


def test_a_difference_beyond_the_seeds_is_called_that_and_one_seed_says_nothing() -> None:
    pair = Rerun(
        cell(), cell(score=0.6, finished="2026-02-02"), answers("a", "b"), answers("a", "a")
    )
    rows = [cell(0), cell(1, 0.81)]
    assert "-0.200 (lora on sst2), no less than the seeds' standard deviation" in summary(
        drifts([pair], rows)
    )
    assert "one seed says nothing" in summary(drifts([pair], rows[:1]))
