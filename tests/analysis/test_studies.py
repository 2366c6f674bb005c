"""What a search found above the defaults, and what it took."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tunebench.analysis.budgets import budgets
from tunebench.analysis.studies import best_trial, study_analyses
from tunebench.records import Comparison, Fold, Study, Trial

from tests.records import comparison, name_of


def searched(*scores: float | None, seeds: tuple[int, ...] = (0, 1)) -> Comparison:
    """One study; a trial without a score diverged."""
    made = comparison(("sst2",), ("lora",), seeds)
    name = name_of("sst2", "lora")
    trials = tuple(
        Trial(name, n, "diverged" if score is None else "complete", {}, score, 2.0**n)
        for n, score in enumerate(scores)
    )
    studies = (Study(name, "sst2", "lora", validation_examples=100, metric="accuracy"),)
    return replace(made, trials=trials, studies=studies)


@pytest.mark.parametrize(
    ("scores", "best", "default", "gain"),
    [
        ((0.5, 0.75, 0.625), 1, 0.5, 0.25),
        ((0.75, 0.5), 0, 0.75, 0.0),
        ((0.5, 0.75, 0.75), 1, 0.5, 0.25),
        ((-0.5, -0.25), 1, -0.5, 0.25),
        ((None, 0.75), 1, None, None),
        ((0.5, None), 0, 0.5, 0.0),
        ((None,), None, None, None),
    ],
)
def test_the_gain_is_how_far_the_best_trial_lies_above_the_defaults(
    scores: tuple[float | None, ...], best: int | None, default: float | None, gain: float | None
) -> None:
    made = searched(*scores)
    (one,) = study_analyses(replace(made, trials=made.trials[::-1]))
    assert [trial.number for trial in one.trials] == [*range(len(scores))]
    assert (one.best and one.best.number) == best
    # The earliest of equals, in whatever order they come.
    assert best_trial(made.trials[::-1]) == one.best
    assert (one.default_score, one.gain) == (default, gain)


def test_a_budget_is_what_was_planned_what_came_of_it_and_what_it_took() -> None:
    made = searched(0.5, None, 0.75, seeds=(0, 1, 2))
    lost = replace(made.results[0], status="error", train_seconds=None)
    rows = [
        replace(row, train_seconds=seconds, train_examples=400, validation_examples=50)
        for row, seconds in zip(made.results[1:], (8.0, 16.0), strict=True)
    ]
    search = {"trials": 4, "trial_epochs": 2, "epochs": 5}
    made = replace(made, results=(lost, *rows), experiment={**made.experiment, "search": search})
    made = replace(made, studies=tuple(replace(one, trials=4) for one in made.studies))
    (one,) = budgets(made)
    assert (one.trials, one.trials_complete, one.trials_failed) == (4, 2, 1)
    assert (one.trial_epochs, one.epochs) == (2, 5)
    assert (one.train_examples, one.validation_examples) == (400, 100)
    assert (one.seeds, one.seeds_complete) == (3, 2)
    assert (one.search_seconds, one.train_seconds) == (1.0 + 2.0 + 4.0, 8.0 + 16.0)
    assert (one.task, one.fold, one.method) == ("sst2", None, "lora")
    before = replace(made, trials=(), results=(lost,), experiment={})
    (none,) = budgets(before)
    assert (none.search_seconds, none.train_seconds, none.train_examples) == (None, None, None)
    (fold,) = budgets(replace(made, folds={"sst2": Fold("mine", 3, 4)}))
    assert (fold.task, fold.fold) == ("mine", 3)
