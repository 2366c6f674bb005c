from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import binomtest
from tunebench.analysis import analyse
from tunebench.analysis.format import listed
from tunebench.analysis.leaders import half_width
from tunebench.analysis.summary import trials_of
from tunebench.records import Comparison, Reference, Result, Study

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
    analysis = analyse(made(scored("lora", 0.85), scored("adapter", 0.83), scored("head", 0.6)))
    task = analysis.tasks[0]
    assert task.leaders is not None
    assert task.leaders.names == ("lora",)
    assert task.leaders.close == ("adapter",)
    assert "adapter lies within it" in task.margin_line
    assert "leave the first place open" in analysis.answer


def test_a_metric_other_than_accuracy_claims_no_half_width() -> None:
    task = analyse(comparison(("stsb",))).tasks[0]
    assert task.leaders is not None
    assert task.leaders.margin is None
    assert task.margin_line == ""


def test_one_seed_leads_nothing() -> None:
    analysis = analyse(made(scored("lora", 0.9), scored("head", 0.6)))
    assert analysis.answer == (
        "On sst2, lora has the highest accuracy, 0.900. One seed cannot say which method is better."
    )
    assert "leads" not in analysis.answer


def test_equal_scores_share_the_first_place() -> None:
    # 0.9996 and 1.0 both read 1.000 in the tables.
    records = made(scored("lora", 1.0), scored("adapter", 0.9996), scored("head", 0.6))
    analysis = analyse(records)
    assert analysis.leaders == "On sst2, lora and adapter share the highest accuracy, 1.000."
    task = analysis.tasks[0]
    assert [task.is_best(row) for row in task.rows] == [True, True, False, False]
    assert "lora and adapter lie within it" in task.margin_line


def test_equal_means_over_tasks_share_the_first_place() -> None:
    scores = [scored(m, v, t) for t, m, v in (
        ("sst2", "lora", 0.75), ("sst2", "head", 0.5), ("rte", "lora", 0.5), ("rte", "head", 0.75),
    )]  # fmt: skip
    assert "head and lora share the highest score (0.625)" in analyse(made(*scores)).leaders or (
        "lora and head share the highest score (0.625)" in analyse(made(*scores)).leaders
    )


def test_a_method_leads_where_each_of_its_seeds_is_above_every_other_seed() -> None:
    apart = [scored("lora", v, seed=s) for s, v in enumerate((0.90, 0.92, 0.94))]
    below = [scored("head", v, seed=s) for s, v in enumerate((0.70, 0.72, 0.74))]
    assert analyse(made(*apart, *below)).leaders == "On sst2, lora leads (accuracy 0.920)."
    mixed = [scored("head", v, seed=s) for s, v in enumerate((0.60, 0.62, 0.91))]
    analysis = analyse(made(*apart, *mixed))
    assert analysis.leaders == "On sst2, lora has the highest accuracy, 0.920."
    assert "do not separate the first from all others" in analysis.doubts


def test_over_several_tasks_those_with_no_method_above_and_those_led_are_counted_apart() -> None:
    seeds = {
        "first": {"lora": (0.90, 0.92), "head": (0.70, 0.72)},
        "second": {"lora": (0.90, 0.92), "head": (0.60, 0.62)},
        # Higher on average, but one seed of the other lies above one of its own.
        "mixed": {"lora": (0.80, 0.95), "head": (0.70, 0.85)},
        "other": {"lora": (0.60, 0.62), "head": (0.80, 0.82)},
    }
    records = made(
        *(
            scored(method, value, task, seed)
            for task, methods in seeds.items()
            for method, values in methods.items()
            for seed, value in enumerate(values)
        )
    )
    assert analyse(records).leaders == (
        "Averaged over 4 tasks, lora has the highest score (0.826); "
        "no method is above it on 3 of 4 and leads on 2."
    )


def test_five_seeds_say_that_the_numbers_are_means() -> None:
    records = made(*(scored(m, 0.9, seed=s) for m in ("lora", "head") for s in range(5)))
    assert "means over 5 seeds" in analyse(records).doubts


def test_a_method_with_a_gap_has_no_mean_and_is_said_to_have_none() -> None:
    broken = replace(result("rte", "lora", 0, "diverged"))
    records = made(scored("lora", 0.9), scored("head", 0.6), broken, scored("head", 0.6, "rte"))
    analysis = analyse(records)
    assert "head has a score of 0.600; no other method has such a mean." in analysis.leaders
    assert "without a mean: lora" in analysis.doubts


@pytest.mark.parametrize("reference", [0.95, 0.9])
def test_a_reference_that_no_method_beats_is_named(reference: float) -> None:
    answer = analyse(made(scored("lora", 0.9), reference=reference)).answer
    assert "No trained method beats" in answer
    assert f"sst2 (bag of words, {reference:.3f})" in answer


def test_nothing_complete_is_said_so() -> None:
    records = comparison(("sst2",), ("lora",), (0,), status={("sst2", "lora", 0): "missing"})
    assert analyse(records).answer == ("No cell is complete yet, so there is nothing to compare.")


def test_a_comparison_in_which_every_cell_failed_says_so_and_why() -> None:
    methods = ("lora", "head")
    statuses: Any = {("sst2", method, seed): "error" for method in methods for seed in (0, 1)}
    records = comparison(("sst2",), methods, (0, 1), status=statuses)
    same = tuple(replace(row, reason="no memory") for row in records.results)
    assert analyse(replace(records, results=same)).answer == (
        "All 4 cells failed, so there is nothing to compare (no memory); the same command tries "
        "again."
    )
    first = (replace(same[0], reason="loss\nis nan", status="diverged"), *same[1:])
    answer = analyse(replace(records, results=first)).answer
    assert "All 4 cells failed" in answer
    assert "(lora on sst2, seed 0: loss is nan)" in answer
    waiting = (replace(same[0], status="missing"), *same[1:])
    assert "No cell is complete yet" in analyse(replace(records, results=waiting)).answer
    only = analyse(replace(records, results=same[:1])).answer
    assert only.startswith("The only cell failed")


@pytest.mark.parametrize(
    ("seeds", "trials", "budget"),
    [
        (1, 2, "one seed, barely tuned (2 trials)"),
        (5, 1, "5 seeds, barely tuned (one trial)"),
        (1, 12, "one seed, 12 trials"),
        (5, 10, "5 seeds, 10 trials"),
    ],
)
def test_the_budget_is_named_by_its_numbers(seeds: int, trials: int, budget: str) -> None:
    records = comparison(("sst2",), ("lora",), tuple(range(seeds)), trials=trials)
    assert analyse(records).budget == budget
    # Without a plan the trials themselves are counted.
    assert analyse(replace(records, experiment={})).budget == budget


def test_tasks_of_one_source_are_named_together() -> None:
    records = replace(
        comparison(("a", "b", "c")), sources={"a": "pocket", "b": "official", "c": "pocket"}
    )
    assert analyse(records).sources == {"pocket": ("a", "c"), "official": ("b",)}


def test_a_search_alone_is_called_a_study_and_a_comparison_has_its_studies_too() -> None:
    records = comparison(("sst2", "stsb"), ("lora",), (0,))
    studies = tuple(Study(f"{t}-lora", t, "lora", 100, "accuracy") for t in records.tasks)
    whole = analyse(replace(records, studies=studies))
    assert whole.title == "One method on 2 tasks"
    assert "The test split was not touched." not in whole.doubts
    assert "lora has a score of" in whole.leaders
    search = analyse(replace(records, studies=studies, results=()))
    assert search.title == "A study of lora on sst2 and lora on stsb"
    assert search.doubts.endswith("The test split was not touched.")
    assert "lora has a score of" not in search.leaders


@pytest.mark.parametrize(("below", "near"), [(0.0, True), (1e-9, False)])
def test_a_score_at_the_half_width_still_lies_within_it(below: float, near: bool) -> None:
    bound = 0.8 - half_width(0.8, 400)
    (task,) = analyse(made(scored("lora", 0.8), scored("head", bound - below))).tasks
    assert task.leaders is not None
    assert task.leaders.close == (("head",) if near else ())


@pytest.mark.parametrize("tasks", [("sst2",), ("sst2", "rte"), ("sst2", "rte", "cola")])
def test_what_seeds_do_not_separate_is_named_by_task_where_there_are_several(
    tasks: tuple[str, ...],
) -> None:
    values = {"lora": (0.90, 0.94), "head": (0.60, 0.91)}
    records = made(
        *(
            scored(method, value, task, seed)
            for task in tasks
            for method, both in values.items()
            for seed, value in enumerate(both)
        )
    )
    where = "" if len(tasks) == 1 else f" on {listed(tasks)}"
    start = "The numbers are means over 2 seeds. They do not separate the first from all others"
    assert analyse(records).doubts.startswith(f"{start}{where}.")


def test_trials_are_as_many_as_planned_but_of_a_study_by_itself_as_recorded() -> None:
    records = comparison(("sst2",), ("lora",), (0,), trials=2)
    planned = replace(records, experiment={**records.experiment, "search": {"trials": 5}})
    (trial, *_) = planned.trials
    study = Study(trial.study, "sst2", "lora")
    assert trials_of(planned) == 5
    assert trials_of(replace(planned, studies=(study,))) == 5
    assert trials_of(replace(planned, results=())) == 5
    assert trials_of(replace(planned, studies=(study,), results=())) == 2
    for nothing in ({}, {"search": None}, {"search": {"trials": "5"}}):
        assert trials_of(replace(records, experiment=nothing)) == 2
    assert trials_of(replace(records, experiment={}, trials=())) == 0
