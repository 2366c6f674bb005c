"""Names of studies and cells: they must stay, or the work that is in a store is done again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tunebench.config import Experiment, SearchSettings
from tunebench.study.jobs import search_of, searches_of, trial_seed
from tunebench.study.plan import cells_of, study_of

PREPARED: Any = SimpleNamespace(
    task=SimpleNamespace(name="reviews"), data=SimpleNamespace(digest="d" * 8), verbalizer=None
)
USUAL = Experiment(methods={"lora": {"rank": [4, 8]}})
CHANGED = Experiment(
    methods={"lora": {}},
    seeds=(3, 1),
    search=SearchSettings(trials=5, epochs=3, train_examples=500),
)


def study(experiment: Experiment, search: int = 0) -> str:
    return study_of(experiment, PREPARED, "lora", "b" * 8, search)


def test_studies_and_cells_keep_the_names_that_stores_hold() -> None:
    # As they were before random_trials could be set.
    assert study(USUAL) == "reviews-lora-5ab1d76d227b"
    assert study(CHANGED) == "reviews-lora-3c9e8545a8e6"
    cells = cells_of(CHANGED, study(CHANGED), "reviews", "lora", CHANGED.seeds)
    assert [cell.cell for cell in cells] == [
        "reviews-lora-seed3-db9963287b55",
        "reviews-lora-seed1-a1db984b2c9e",
    ]


def test_other_draws_are_another_study() -> None:
    more = replace(USUAL, search=replace(USUAL.search, random_trials=9))
    assert study(more) != study(USUAL)


def several(seeds: tuple[int, ...], studies: int) -> Experiment:
    return replace(USUAL, seeds=seeds, search=replace(USUAL.search, studies=studies))


def test_the_first_of_several_searches_is_the_one_that_a_store_may_hold() -> None:
    more = several((0, 1, 2), 3)
    assert study(more) == "reviews-lora-5ab1d76d227b"
    names = [study(more, search) for search in range(3)]
    assert len(set(names)) == 3
    assert names[1].startswith("reviews-lora-search2-")


def test_seeds_are_dealt_out_to_the_searches_in_turn_and_trials_have_the_first_of_each() -> None:
    more = several((7, 4, 9, 2, 5), 3)
    assert [search_of(more, position) for position in range(5)] == [0, 1, 2, 0, 1]
    assert [trial_seed(more, search) for search in range(3)] == [7, 4, 9]
    # The seed of a search's trials is part of what decides them.
    other = several((7, 3, 9, 2, 5), 3)
    assert study(other, 0) == study(more, 0)
    assert study(other, 1) != study(more, 1)


@pytest.mark.parametrize(("seeds", "studies", "searches"), [(1, 3, 1), (2, 3, 2), (5, 3, 3)])
def test_there_are_no_more_searches_than_seeds(seeds: int, studies: int, searches: int) -> None:
    assert searches_of(several(tuple(range(seeds)), studies)) == searches
