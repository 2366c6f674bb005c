"""Several searches: each counts as one repetition, and tuning luck is part of the interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tunebench.analysis.cells import Cell
from tunebench.analysis.searches import search_spreads
from tunebench.analysis.verdict import verdict
from tunebench.analysis.verdict.crossed import crossed
from tunebench.analysis.verdict.matching import scored

from tests.analysis.verdict.made_up import cells

Hits = dict[str, np.ndarray[Any, Any]]


def answers(seeds: int, examples: int = 200, **shares: float) -> Hits:
    generator = np.random.default_rng(5)
    return {m: generator.random((seeds, examples)) < share for m, share in shares.items()}


def searched(hits: Hits, searches: int) -> list[Cell]:
    """The cells, their seeds dealt out to so many searches in turn."""
    return [
        replace(cell, search=cell.result.seed % searches, searches=searches) for cell in cells(hits)
    ]


def test_a_pair_is_that_of_the_means_over_each_winners_seeds() -> None:
    hits = answers(5, lora=0.8, head=0.7)
    (pair,) = verdict(searched(hits, 3), "made-up").pairs
    rows = [[0, 3], [1, 4], [2]]
    d = np.array([(1.0 * hits["lora"][r] - hits["head"][r]).mean(axis=0) for r in rows])
    # The mean over searches of the mean over seeds, not the mean over all seeds.
    assert pair.difference == pytest.approx(d.mean())
    assert pair.difference != pytest.approx((1.0 * hits["lora"] - hits["head"]).mean())
    known = crossed(d, float(d.mean()), 1.0)
    assert (pair.low, pair.high) == pytest.approx(known.interval(0.95))
    assert (pair.seeds, pair.searches, known.seeds) == (5, 3, 3)


def test_with_one_search_nothing_changes_and_a_search_for_each_seed_is_the_same_numbers() -> None:
    hits = answers(4, lora=0.8, head=0.7)
    (once,) = verdict(cells(hits), "made-up").pairs
    (each,) = verdict(searched(hits, 4), "made-up").pairs
    assert (once.searches, each.searches) == (1, 4)
    assert (once.low, once.high, once.p) == pytest.approx((each.low, each.high, each.p))
    assert once.question.unit == "seed"
    assert each.question.unit == "search"


def test_seeds_of_a_single_search_are_one_repetition() -> None:
    """Where only the first winner's seeds are there yet, nothing is known of another search."""
    made = searched(answers(4, lora=0.9, head=0.3), 2)
    there = [cell for cell in made if cell.search == 0]
    judged = verdict(there, "made-up")
    (pair,) = judged.pairs
    assert (pair.verdict, pair.seeds, pair.searches) == ("examples alone", 2, 1)
    assert pair.smallest_seen is None
    assert judged.letters == {}
    assert judged.reason.startswith("One search is no verdict")
    assert pair.to_decide is not None
    assert pair.to_decide.unit == "search"
    assert "One search cannot say" in pair.to_decide.sentence


def test_what_would_settle_it_is_counted_in_searches() -> None:
    (pair,) = verdict(searched(answers(6, lora=0.72, head=0.7), 3), "made-up").pairs
    assert pair.verdict == "undecided"
    settles = pair.to_decide
    assert settles is not None
    assert settles.unit == "search"
    assert "searches" in settles.sentence
    assert "seeds" not in settles.sentence
    assert settles.seconds is None  # no cell's record says how long another search takes


def planted(
    generator: np.random.Generator, studies: int, examples: int
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Differences (studies S N) of 6 seeds of 3 searches in turn, with a true mean of 0."""
    search = 0.04 * generator.standard_normal((studies, 3))[:, [0, 1, 2, 0, 1, 2]]
    seed = 0.02 * generator.standard_normal((studies, 6))
    example = 0.1 * generator.standard_normal((studies, 1, examples))
    rest = 0.1 * generator.standard_normal((studies, 6, examples))
    whole: np.ndarray[Any, np.dtype[np.float64]] = (search + seed)[:, :, None] + example + rest
    return whole


def covers(d: np.ndarray[Any, Any]) -> bool:
    low, high = crossed(d, float(d.mean()), 1e-9).interval(0.95)
    return low <= 0 <= high


def test_intervals_cover_the_luck_of_the_search_only_where_searches_are_the_repetitions() -> None:
    draws = planted(np.random.default_rng(11), 1000, 400)
    template = scored(searched(answers(6, lora=0.5), 3))
    by_search = [replace(template, values=d).by_search().values for d in draws]
    assert np.mean([covers(d) for d in by_search]) >= 0.95
    # Two seeds of a winner share its settings: as six repetitions they promise too much.
    assert np.mean([covers(d) for d in draws]) < 0.93


def test_the_spreads_are_those_of_means_and_of_seeds_within() -> None:
    made = searched(answers(5, lora=0.8, head=0.6), 2)
    first, second = search_spreads(made, "made-up")
    assert (first.method, second.method) == ("lora", "head")
    scores = [cell.result.score for cell in made if cell.result.method == "lora"]
    parts = [np.array(scores[0::2]), np.array(scores[1::2])]
    means = [part.mean() for part in parts]
    assert first.scores == pytest.approx(means)
    assert first.over_searches == pytest.approx(np.std(means, ddof=1))
    squares = sum(((part - part.mean()) ** 2).sum() for part in parts) / 3
    assert first.over_seeds == pytest.approx(np.sqrt(squares))
    assert search_spreads(cells(answers(5, lora=0.8)), "made-up") == ()
    (single,) = search_spreads(searched(answers(2, lora=0.8), 2), "made-up")
    assert single.over_seeds is None
