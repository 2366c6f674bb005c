from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
from tunebench.analysis import analyse
from tunebench.analysis.cells import Cell
from tunebench.analysis.columns import TABLES, Column
from tunebench.analysis.rows import METHOD_CODE, Mean, Row, differing_origins, mean
from tunebench.analysis.rows import rows as rows_of
from tunebench.records import Comparison, Fold

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


def test_a_row_knows_how_many_examples_it_was_tested_on_by_its_largest_cell_of_each_fold() -> None:
    made = comparison(("sst2", "stsb"), ("lora",), (0, 1))
    sizes = {("sst2", 0): 7, ("sst2", 1): 9, ("stsb", 0): 20, ("stsb", 1): 20}
    results = tuple(replace(row, test_examples=sizes[row.task, row.seed]) for row in made.results)
    plain = replace(made, results=results)
    assert [rows(plain, task)[0].test_examples for task in plain.tasks] == [9, 20]
    folds = {task: Fold("mine", n, 2) for n, task in enumerate(plain.tasks, start=1)}
    assert rows(replace(plain, folds=folds), "mine")[0].test_examples == 29


def test_folds_count_alike_however_many_of_their_seeds_are_complete() -> None:
    made = comparison(("one", "two"), ("lora",), (0, 1, 2), status={("two", "lora", 1): "error"})
    folds = {task: Fold("mine", n, 2) for n, task in enumerate(made.tasks, start=1)}
    (row,) = (r for r in rows(replace(made, folds=folds), "mine") if r.trained)
    of_fold = [
        statistics.fmean(r.score for r in made.results if r.task == task and r.score is not None)
        for task in made.tasks
    ]
    assert row.score is not None
    assert row.score.value == pytest.approx(statistics.fmean(of_fold), abs=1e-15)
    assert row.score.spread == pytest.approx(statistics.stdev(of_fold), abs=1e-15)
    assert row.folds is not None
    assert [*row.folds.scores.values()] == of_fold


def test_a_column_of_text_shows_what_the_complete_cells_say_each_text_once() -> None:
    spoken = Column("spoken", lambda cell: texts[cell.result.seed], TABLES, text=True)
    silent = Column("silent", lambda cell: None, TABLES, text=True)
    texts = {0: "slow", 1: "fast", 2: "slow", 3: "never"}
    made = comparison(("sst2",), ("lora",), (0, 1, 2, 3), status={("sst2", "lora", 3): "error"})
    (row,) = rows_of(made, "sst2", analyse(made).cells, (spoken, silent))[:1]
    assert row.texts == {"spoken": "slow and fast"}


def test_a_remark_names_each_size_of_pass_that_memory_allowed_and_none_where_it_was_whole() -> None:
    made = comparison(("sst2",), ("lora", "head"), (0, 1, 2))
    sizes = {("lora", 0): 4, ("lora", 1): 2, ("lora", 2): 4}
    results = tuple(
        replace(row, micro_batch=sizes.get((row.method, row.seed))) for row in made.results
    )
    lora, head = rows(replace(made, results=results), "sst2")[:2]
    why = "memory was too small for a whole batch"
    assert lora.remarks == (f"micro-batch 4: {why}", f"micro-batch 2: {why}")
    assert head.remarks == ()


def test_the_seeds_of_a_row_may_have_been_made_by_two_versions_of_the_method() -> None:
    made = comparison(("sst2",), ("lora", "head"), (0, 1))
    code = {("lora", 0): "old", ("lora", 1): "new", ("head", 0): "one", ("head", 1): "one"}
    results = tuple(
        replace(row, origin={METHOD_CODE: code[row.method, row.seed]}) for row in made.results
    )
    lora, head = rows(replace(made, results=results), "sst2")[:2]
    assert lora.remarks == ("its seeds were trained by different versions of the method's code",)
    assert head.remarks == ()


def test_the_cells_of_another_task_are_no_part_of_a_row() -> None:
    made = comparison(("sst2", "cola"), ("lora",), (0, 1))
    results = tuple(
        replace(row, score={"sst2": 0.5, "cola": 0.25}[row.task]) for row in made.results
    )
    both = replace(made, results=results)
    for task, value in (("sst2", 0.5), ("cola", 0.25)):
        row = rows(both, task)[0]
        assert (row.complete, row.score) == (2, Mean(value, 0.0))
