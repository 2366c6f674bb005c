from __future__ import annotations

import math
import statistics
from dataclasses import replace

from tunebench.analysis import analyse
from tunebench.analysis.cells import Cell
from tunebench.analysis.rows import METHOD_CODE, Mean, Row, differing_origins, mean
from tunebench.records import Comparison

from tests.records import comparison


def rows(records: Comparison, task: str) -> tuple[Row, ...]:
    """The rows of one task."""
    return next(each.rows for each in analyse(records).tasks if each.task == task)


def test_a_task_has_a_row_for_each_method_and_each_reference() -> None:
    table = rows(comparison(("sst2",), ("lora", "head")), "sst2")
    assert [row.name for row in table] == ["lora", "head", "majority class", "bag of words"]
    assert [row.trained for row in table] == [True, True, False, False]


def test_a_row_is_the_mean_over_its_seeds_with_their_standard_deviation() -> None:
    records = comparison(("sst2",), ("lora",), (0, 1, 2))
    row = rows(records, "sst2")[0]
    scores = [r.score for r in records.results if r.score is not None]
    assert row.score is not None
    assert row.score.value == statistics.fmean(scores)
    assert row.score.spread == statistics.stdev(scores)
    assert (row.complete, row.planned) == (3, 3)


def test_one_seed_has_no_standard_deviation() -> None:
    row = rows(comparison(("sst2",), ("lora",), (0,)), "sst2")[0]
    assert row.score is not None
    assert row.score.spread is None


def test_two_seeds_have_one() -> None:
    assert mean([1.0, None, 3.0, math.nan]) == Mean(2.0, statistics.stdev([1.0, 3.0]))


def test_a_method_without_a_cell_was_tested_on_nothing() -> None:
    row = rows(replace(comparison(("sst2",), ("lora",)), seeds=(), results=()), "sst2")[0]
    assert (row.name, row.planned, row.test_examples, row.values) == ("lora", 0, 0, {})


def test_only_complete_cells_enter_the_mean_and_the_others_stay_visible() -> None:
    records = comparison(
        ("sst2",),
        ("lora",),
        (0, 1, 2, 3),
        status={("sst2", "lora", 1): "error", ("sst2", "lora", 3): "error"},
    )
    row = rows(records, "sst2")[0]
    left = [r.score for r in records.results if r.seed in (0, 2) and r.score is not None]
    assert row.score is not None
    assert row.score.value == statistics.fmean(left)
    assert [(gone.seeds, gone.status) for gone in row.failures] == [((1, 3), "error")]


def test_a_cell_that_the_records_lack_is_added_as_missing() -> None:
    whole = comparison(("sst2",), ("lora", "head"), (0, 1))
    part = replace(whole, results=whole.results[:-1])
    assert len(analyse(part).cells) == 4
    assert analyse(part).cells[-1].result.status == "missing"
    assert rows(part, "sst2")[1].failures[0].seeds == (1,)


def test_the_ways_to_end_add_up_to_the_plan() -> None:
    records = comparison(
        ("sst2", "stsb"),
        status={
            ("sst2", "lora", 0): "diverged",
            ("sst2", "head", 1): "error",
            ("stsb", "head", 0): "missing",
            ("stsb", "head", 1): "error",
        },
    )
    analysis = analyse(records)
    assert sum(analysis.tally.values()) == len(records.results) == 8
    assert analysis.tally_line == ("8 planned = 4 complete + 1 diverged + 2 error + 1 missing")


def test_a_regression_has_no_accuracy() -> None:
    table = rows(comparison(("stsb",)), "stsb")
    assert all("accuracy" not in row.values for row in table)
    assert table[0].metric == "mean(pearson, spearman)"


def test_numbers_that_are_not_finite_are_left_out_of_a_mean() -> None:
    assert mean([None, math.nan, math.inf]) is None
    average = mean([1.0, None, math.nan, 3.0])
    assert average is not None
    assert average.value == 2.0


def test_makers_are_compared_over_complete_cells_alone_and_without_a_method_s_own_code() -> None:
    whole = comparison(
        ("sst2",), ("lora",), (0, 1, 2), status={("sst2", "lora", 2): "diverged"}
    ).results
    makers = (
        {"device": "a CPU", "torch": "1", METHOD_CODE: "x"},
        {"device": "a CPU", "torch": "1", METHOD_CODE: "y"},
        {"device": "a GPU", "torch": "2", METHOD_CODE: "z"},
    )
    cells = [Cell(replace(one, origin=o)) for one, o in zip(whole, makers, strict=True)]
    assert differing_origins(cells) == ()
    ended = [replace(cell, result=replace(cell.result, status="complete")) for cell in cells]
    assert differing_origins(ended) == ("device", "torch")
    lacking = replace(cells[1], result=replace(cells[1].result, origin={"torch": "1"}))
    assert differing_origins([cells[0], lacking]) == ("device",)
