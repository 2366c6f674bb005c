"""What a report says of how it came about: the settings that each method was tested with."""

from __future__ import annotations

from dataclasses import replace

from tunebench.analysis import analyse
from tunebench.analysis.facts import chosen
from tunebench.records import Fold

from tests.records import comparison


def test_each_method_has_the_settings_of_its_own_task_and_those_without_any_are_left_out() -> None:
    records = comparison(("sst2", "rte"), ("lora", "head", "full"), (0, 1))
    settings = {
        ("sst2", "lora"): ({"rank": 2}, 1),
        ("sst2", "head"): ({"lr": 0.5}, 0),
        ("sst2", "full"): ({}, None),
        ("rte", "lora"): ({"rank": 8}, 3),
        ("rte", "head"): ({}, None),
        ("rte", "full"): ({"lr": 0.25}, 2),
    }
    results = tuple(
        replace(row, hyperparameters=params, best_trial=number)
        for row in records.results
        for params, number in [settings[row.task, row.method]]
    )
    cells = analyse(replace(records, results=results)).cells
    assert [(method, line) for method, _, line in chosen(cells, "sst2")] == [
        ("lora", "rank 2"),
        ("head", "lr 0.5"),
    ]
    assert [(method, line) for method, _, line in chosen(cells, "rte")] == [
        ("lora", "rank 8"),
        ("full", "lr 0.25"),
    ]
    assert [trial.rpartition(" ")[2] for _, trial, _ in chosen(cells, "rte")] == ["3", "2"]
    assert chosen(cells, "cola") == ()


def test_each_fold_has_its_own_search_and_the_folds_of_a_method_stand_together() -> None:
    records = comparison(("one", "two"), ("lora", "head"), (0,))
    folds = {task: Fold("mine", number, 2) for number, task in enumerate(records.tasks, start=1)}
    lines = chosen(analyse(replace(records, folds=folds)).cells, "mine")
    assert [(method, trial[:8]) for method, trial, _ in lines] == [
        ("lora", "fold 1: "),
        ("lora", "fold 2: "),
        ("head", "fold 1: "),
        ("head", "fold 2: "),
    ]
