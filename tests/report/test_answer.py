from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.stats import binomtest
from tunebench.analysis.answer import answer, budget_words, doubts, leaders, sources
from tunebench.analysis.leads import half_width, lead, margin_line
from tunebench.analysis.rows import rows
from tunebench.records import Comparison, Reference, Result

from tests.records import comparison, result


def scored(method: str, value: float, task: str = "sst2", seed: int = 0) -> Result:
    return replace(result(task, method, seed), score=value, accuracy=value, test_examples=400)


def made(*results: Result, reference: float = 0.5) -> Comparison:
    tasks = tuple(dict.fromkeys(r.task for r in results))
    methods = tuple(dict.fromkeys(r.method for r in results))
    seeds = tuple(dict.fromkeys(r.seed for r in results))
    plain = tuple(Reference(t, "bag of words", reference, reference, {}) for t in tasks)
    return replace(comparison(tasks, methods, seeds), results=results, references=plain)


@pytest.mark.parametrize(("hits", "of"), [(0, 10), (5, 10), (37, 50), (400, 400), (823, 1043)])
def test_the_half_width_is_that_of_wilsons_interval(hits: int, of: int) -> None:
    interval = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    assert math.isclose(half_width(hits / of, of), (interval.high - interval.low) / 2)


def test_methods_within_the_half_width_of_the_best_are_named_as_close() -> None:
    records = made(scored("lora", 0.85), scored("adapter", 0.83), scored("head", 0.6))
    ahead = lead(rows(records, "sst2"))
    assert ahead is not None
    assert ahead.row.name == "lora"
    assert ahead.close == ("adapter",)
    assert "adapter lies within it" in margin_line(rows(records, "sst2"))
    assert "leave the first place open" in answer(records)


def test_a_metric_other_than_accuracy_claims_no_half_width() -> None:
    table = rows(comparison(("stsb",)), "stsb")
    ahead = lead(table)
    assert ahead is not None
    assert ahead.margin is None
    assert margin_line(table) == ""


def test_one_seed_says_that_it_cannot_separate_close_methods() -> None:
    records = made(scored("lora", 0.9), scored("head", 0.6))
    assert answer(records) == (
        "On sst2, lora leads (accuracy 0.900). "
        "One seed cannot separate methods that score close together."
    )


def test_five_seeds_say_that_the_numbers_are_means() -> None:
    records = made(*(scored(m, 0.9, seed=s) for m in ("lora", "head") for s in range(5)))
    assert "means over 5 seeds" in doubts(records)


def test_a_method_with_a_gap_has_no_mean_and_is_said_to_have_none() -> None:
    broken = replace(result("rte", "lora", 0, "diverged"))
    records = made(scored("lora", 0.9), scored("head", 0.6), broken, scored("head", 0.6, "rte"))
    assert "head (0.600) leads" in leaders(records)
    assert "without a mean: lora" in doubts(records)


def test_a_reference_that_no_method_beats_is_named() -> None:
    records = made(scored("lora", 0.9), reference=0.95)
    assert "No trained method beats" in answer(records)
    assert "sst2 (bag of words, 0.950)" in answer(records)


def test_nothing_complete_is_said_so() -> None:
    records = comparison(("sst2",), ("lora",), (0,), status={("sst2", "lora", 0): "missing"})
    assert answer(records) == "No cell is complete yet, so there is nothing to compare."


@pytest.mark.parametrize(
    ("seeds", "trials", "said"),
    [
        (1, 2, "one seed, barely tuned (2 trials)"),
        (5, 1, "5 seeds, barely tuned (one trial)"),
        (1, 12, "one seed, 12 trials"),
        (5, 10, "5 seeds, 10 trials"),
    ],
)
def test_the_budget_is_named_by_its_numbers(seeds: int, trials: int, said: str) -> None:
    records = comparison(("sst2",), ("lora",), tuple(range(seeds)), trials=trials)
    assert budget_words(records) == said
    # Without a plan the trials themselves are counted.
    assert budget_words(replace(records, experiment={})) == said


def test_tasks_of_one_source_are_named_together() -> None:
    records = replace(
        comparison(("a", "b", "c")), sources={"a": "pocket", "b": "official", "c": "pocket"}
    )
    assert sources(records) == {"pocket": ["a", "c"], "official": ["b"]}
