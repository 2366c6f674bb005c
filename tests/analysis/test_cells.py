"""What a cell knows beyond its record: where the plan says it, and how its latency compares."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tunebench.analysis.cells import LEAST_REPEATS_FOR_P95, Cell, cells_of
from tunebench.analysis.predictions import Predictions
from tunebench.records import Latency, Result

from tests.records import SOURCE, comparison, result

KEY = ("sst2", "lora", 0)


def taken(median: float, batch: int = 1, ratio: float | None = 2.0) -> Latency:
    return Latency(batch, 24, median, 2 * median, ratio, 50)


def test_what_a_missing_cell_cannot_know_comes_from_the_plan() -> None:
    records = comparison(("sst2",), ("lora",), (0, 1), status={KEY: "missing"})
    done = replace(records.results[1], backbone="its own", data_source="its own data")
    for results in ((records.results[0], done), (done,)):
        cells = {cell.result.seed: cell for cell in cells_of(replace(records, results=results))}
        assert cells[0].result.status == "missing"
        assert (cells[0].result.backbone, cells[0].result.data_source) == (
            "made-up-backbone",
            SOURCE,
        )
        assert (cells[1].result.backbone, cells[1].result.data_source) == (
            "its own",
            "its own data",
        )


def test_answers_are_read_where_the_record_names_a_file_and_a_reader_is_given() -> None:
    records = comparison(("sst2",), ("lora",), (0, 1), status={KEY: "missing"})
    asked: list[str] = []

    def read(one: Result) -> Predictions:
        asked.append(one.predictions)
        return Predictions(("x", "y"), ("1", "0"), ("1", "1"))

    without = cells_of(records)
    missing, complete = cells_of(records, read)
    assert [cell.predictions for cell in without] == [None, None]
    assert missing.predictions is None
    assert complete.predictions is not None
    assert asked == [records.results[1].predictions]


@pytest.mark.parametrize(
    ("known", "nearest"), [(1.4, 1.5), (0.9, 0.8), (0.1, 0.1), (None, 0.1), (99.0, 1.5)]
)
def test_the_measurement_of_one_text_is_that_of_its_latency(
    known: float | None, nearest: float
) -> None:
    # One text of the median length, others of other lengths, and a batch.
    every = (taken(1.5), taken(0.8), taken(0.1), taken(known or 0.0, batch=4))
    single = Cell(replace(result(*KEY), latency_ms=known, latency=every)).single
    assert single is not None
    assert (single.batch, single.median_ms) == (1, nearest)


@pytest.mark.parametrize(
    ("measured", "latency", "base", "shown"),
    [
        (3.0, (taken(3.0),), 10.0, 20.0),
        (3.0, (taken(3.0),), None, 3.0),
        (3.0, (taken(3.0, batch=4),), 10.0, 3.0),
        (None, (taken(3.0),), 10.0, None),
        (3.0, (taken(3.0, ratio=None),), 10.0, None),
        (3.0, (taken(3.0, ratio=None),), None, None),
    ],
)
def test_a_latency_compares_by_its_ratio_where_one_was_taken(
    measured: float | None, latency: tuple[Latency, ...], base: float | None, shown: float | None
) -> None:
    cell = Cell(replace(result(*KEY), latency_ms=measured, latency=latency), base)
    assert cell.latency_ms == shown


def test_the_base_model_s_latency_is_that_beside_the_first_complete_measurement() -> None:
    records = comparison(("sst2", "stsb"), ("lora", "full", "head"), (0, 1))
    taken_by = {
        ("sst2", "lora", 0): ("diverged", (taken(90.0),)),
        ("sst2", "lora", 1): ("complete", ()),
        ("sst2", "head", 0): ("complete", (taken(3.0, ratio=0.0),)),
        ("sst2", "full", 0): ("complete", (taken(5.0, ratio=None),)),
        ("sst2", "head", 1): ("complete", (taken(6.0, ratio=1.5),)),
        ("stsb", "lora", 0): ("complete", (taken(9.0, ratio=3.0),)),
        ("stsb", "lora", 1): ("complete", (taken(8.0, ratio=2.0),)),
    }
    results = tuple(
        replace(row, status=status, latency=latency)
        for row in records.results
        for status, latency in [taken_by.get((row.task, row.method, row.seed), ("missing", ()))]
    )
    cells = cells_of(replace(records, results=results))
    assert {(cell.task, cell.base_latency_ms) for cell in cells} == {("sst2", 4.0), ("stsb", 3.0)}


@pytest.mark.parametrize(
    ("repeats", "known"), [(LEAST_REPEATS_FOR_P95 - 1, False), (LEAST_REPEATS_FOR_P95, True)]
)
def test_the_95th_percentile_is_known_from_enough_passes(repeats: int, known: bool) -> None:
    single = replace(taken(3.0), repeats=repeats)
    cell = Cell(replace(result(*KEY), latency_ms=3.0, latency=(single,)))
    assert cell.p95_ms == (single.p95_ms if known else None)
    assert Cell(replace(result(*KEY), latency=())).p95_ms is None
    # Of 130 passes six lie above it: fewer would say nothing of a tail.
    assert LEAST_REPEATS_FOR_P95 / 20 > 6
