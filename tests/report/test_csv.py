from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from tunebench.analysis import analyse, columns
from tunebench.analysis.columns import in_view
from tunebench.records import Comparison, Latency
from tunebench.report import csv as csv_file

from tests.records import comparison, result

PROMISED = (
    "task",
    "method",
    "seed",
    "status",
    "metric",
    "score",
    "accuracy",
    "trainable_params",
    "trainable_params_with_head",
    "stored_params",
    "latency_ms",
    "train_seconds",
    "peak_memory_mib",
    "data_source",
    "backbone",
    "mlflow_run_id",
)


COLUMNS = tuple(column.name for column in in_view(columns.COLUMNS, "csv"))


def csv_of(records: Comparison, run_ids: dict[str, str]) -> str:
    return csv_file.text(analyse(records), run_ids)


def read(records: Comparison, run_ids: dict[str, str] | None = None) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(records, run_ids or {}), newline="")))


def test_the_promised_columns_come_first_and_in_order() -> None:
    assert COLUMNS[: len(PROMISED)] == PROMISED
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_every_planned_cell_is_one_row_in_the_order_of_the_plan() -> None:
    records = comparison(status={("sst2", "head", 1): "missing", ("stsb", "lora", 0): "error"})
    lines = read(records)
    assert [(r["task"], r["method"], int(r["seed"])) for r in lines] == [
        (r.task, r.method, r.seed) for r in records.results
    ]
    assert [r["status"] for r in lines] == [r.status for r in records.results]


def test_numbers_come_back_exactly_as_they_were_measured() -> None:
    records = comparison()
    for line, r in zip(read(records), records.results, strict=True):
        assert float(line["score"]) == r.score
        assert int(line["trainable_params"]) == r.trainable_params
        assert float(line["latency_measured_ms"]) == r.latency_ms
        assert json.loads(line["hyperparameters"]) == r.hyperparameters


def test_what_was_not_measured_is_empty() -> None:
    records = comparison(("sst2",), ("lora",), (0,), status={("sst2", "lora", 0): "missing"})
    (line,) = read(records)
    assert line["score"] == line["accuracy"] == line["latency_ms"] == line["hyperparameters"] == ""
    assert line["data_source"] == records.sources["sst2"]
    assert line["backbone"] == "made-up-backbone"


def test_a_negative_score_stays_a_number() -> None:
    records = comparison(("sst2",), ("lora",), (0,))
    records = replace(records, results=(replace(records.results[0], score=-0.25),))
    assert read(records)[0]["score"] == "-0.25"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text(start: str) -> None:
    reason = f"{start}cmd|' /C calc'!A0"
    failed = replace(result("sst2", "lora", 0, "error"), reason=reason)
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(failed,))
    assert read(records)[0]["reason"] == f"'{reason}"


def test_commas_quotes_and_line_breaks_survive_and_lines_end_as_the_standard_says() -> None:
    reason = 'one, "two"\nthree'
    failed = replace(result("sst2", "lora", 0, "error"), reason=reason)
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(failed,))
    assert read(records)[0]["reason"] == reason
    assert csv_of(records, {}).endswith("\r\n")
    assert csv_of(records, {}).split("\r\n")[0] == ",".join(COLUMNS)


def test_the_run_is_found_by_the_cell() -> None:
    records = comparison(("sst2",), ("lora",), (0, 1))
    lines = read(records, {records.results[1].cell: "abc123"})
    assert [line["mlflow_run_id"] for line in lines] == ["", "abc123"]


def test_both_batch_sizes_have_a_latency() -> None:
    latency = (Latency(32, 24, 80.0, 90.0, 1.2, 10), Latency(1, 24, 5.0, 7.0, 1.1, 130, 1.08, 1.13))
    cell = replace(result("sst2", "lora", 0), latency_ms=5.0, latency=latency)
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(cell,))
    (line,) = read(records)
    assert line["latency_p95_ms"] == "7.0"
    assert line["latency_ratio"] == "1.1"
    assert (line["latency_ratio_ci95_low"], line["latency_ratio_ci95_high"]) == ("1.08", "1.13")
    assert line["latency_batch32_ms"] == "80.0"


@pytest.mark.parametrize(("repeats", "shown"), [(129, ""), (130, "7.0")])
def test_a_95th_percentile_needs_enough_passes(repeats: int, shown: str) -> None:
    cell = replace(
        result("sst2", "lora", 0), latency_ms=5.0, latency=(Latency(1, 24, 5.0, 7.0, 1.1, repeats),)
    )
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(cell,))
    assert read(records)[0]["latency_p95_ms"] == shown


def test_how_a_task_was_written_as_text_stands_in_its_column() -> None:
    written = "Review: {sentence}\nSentiment:"
    cell = replace(result("sst2", "lora", 0), template=written)
    records = replace(comparison(("sst2",), ("lora", "head"), (0,)))
    records = replace(records, results=(cell, *records.results[1:]))
    assert [line["template"] for line in read(records)] == [written, ""]


def test_a_reason_shows_no_credentials() -> None:
    failed = replace(result("sst2", "lora", 0, "error"), reason="http://me:canary@host refused")
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(failed,))
    assert "canary" not in csv_of(records, {})
