from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tunebench.analysis import analyse
from tunebench.records import Comparison
from tunebench.report.console import WIDTH, plain, standard, written
from tunebench.report.terminal import show

from tests.records import comparison, result

ROOT = Path(__file__).parents[2]


def as_text(records: Comparison, out: Path) -> str:
    console = plain()
    show(analyse(records), out, console)
    return written(console)


METHODS = ("adapter", "full", "head", "lora", "p_tuning", "p_tuning_v2", "prefix", "prompt")
GLUE = ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli")


def test_the_table_names_method_score_weights_latency_time_and_memory() -> None:
    shown = as_text(comparison(("sst2",)), Path("runs"))
    for heading in ("method", "accuracy", "trained", "with head", "latency ms", "train s"):
        assert heading in shown
    assert "peak MiB" in shown
    assert "1.07×" in shown


def test_nine_tasks_and_eight_methods_fit_a_hundred_columns_without_cut_words() -> None:
    shown = as_text(comparison(GLUE, METHODS, (0, 1, 2)), Path("runs"))
    tables = [line for line in shown.splitlines() if not line.startswith(("Data", "Report"))]
    assert max(map(len, tables)) <= WIDTH
    assert "…" not in shown


def test_without_a_terminal_there_are_no_colour_codes() -> None:
    assert "\x1b" not in as_text(comparison(), Path("runs"))


def test_a_terminal_gets_colours() -> None:
    file = io.StringIO()
    colour = Console(file=file, force_terminal=True, color_system="standard", width=WIDTH)
    show(analyse(comparison()), Path("runs"), colour)
    assert "\x1b[" in file.getvalue()


def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    show(analyse(comparison()), Path("runs"))
    assert capsys.readouterr().out == as_text(comparison(), Path("runs"))
    assert standard().width == WIDTH


def test_data_budget_plan_and_places_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = comparison(("sst2",), seeds=(0,))
    records = replace(records, sources={"sst2": "built-in pocket data, not GLUE"})
    shown = as_text(records, Path("elsewhere"))
    assert "Data    built-in pocket data, not GLUE (sst2)" in shown
    assert "one seed, barely tuned" in shown
    assert "2 planned = 2 complete + 0 diverged" in shown
    assert "elsewhere/report.html" in shown
    monkeypatch.chdir(ROOT)
    assert "MLflow  make ui OUT=elsewhere\n" in as_text(records, Path("elsewhere"))
    assert "MLflow  make ui\n" in as_text(records, Path("runs"))
    monkeypatch.chdir(tmp_path)  # there is no Makefile
    assert "MLflow  tunebench ui --out 'else where'\n" in as_text(records, Path("else where"))
    assert "MLflow  tunebench ui\n" in as_text(records, Path("runs"))


def test_a_table_that_is_too_wide_loses_columns_and_never_the_end_of_a_number() -> None:
    """Two scores with deviations over seeds and large networks are wider than 100 columns."""
    records = comparison(("mrpc",), METHODS, (0, 1, 2))
    rows = [
        replace(
            row,
            metric="mean(accuracy, f1)",
            accuracy=0.5 + row.seed / 100,
            trainable_params=22_565_376,
            trainable_params_with_head=22_566_146,
            train_seconds=123_456.0,
            peak_memory_mib=112_064.0,
        )
        for row in records.results
    ]
    shown = as_text(replace(records, results=tuple(rows)), Path("runs"))
    assert "…" not in shown
    assert "No room here for: with head" in shown
    table = shown[: shown.index("No room here for")]
    assert table.count("22.6 M") == len(METHODS)  # one of two columns of weights went
    assert "±" in table
    assert all(len(line) <= WIDTH for line in shown.splitlines() if "make ui" not in line)
    assert "No room here" not in as_text(comparison(("sst2",)), Path("runs"))


def test_methods_that_were_left_out_are_named_with_the_reason() -> None:
    records = replace(comparison(("sst2",)), left_out={"bitfit": "this backbone has no bias"})
    assert "Without bitfit: this backbone has no bias" in as_text(records, Path("runs"))
    assert ("Left out", "bitfit: this backbone has no bias") in analyse(records).facts
    assert "Left out" not in dict(analyse(comparison(("sst2",))).facts)


def test_references_are_rows_that_need_no_training() -> None:
    shown = as_text(comparison(("sst2",)), Path("runs"))
    lines = [line for line in shown.splitlines() if "no training" in line]
    assert [line.split("  ")[0].strip() for line in lines] == ["majority class", "bag of words"]


def test_a_cell_that_failed_has_its_row_and_its_reason() -> None:
    records = comparison(("sst2",), seeds=(0,), status={("sst2", "lora", 0): "diverged"})
    shown = as_text(records, Path("runs"))
    assert any(line.split() == ["lora", "diverged"] for line in shown.splitlines())
    assert "lora, seed 0: diverged. made-up diverged" in shown


def test_markup_and_control_characters_in_a_reason_are_only_text() -> None:
    failed = replace(result("sst2", "lora", 0, "error"), reason="[red]no[/red] \x1b[31m [/x]")
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(failed,))
    shown = as_text(records, Path("runs"))
    assert "[red]no[/red]" in shown
    assert "\x1b" not in shown


def test_a_stream_that_knows_only_ascii_is_no_error() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show(analyse(comparison()), Path("runs"), Console(file=file, width=WIDTH))
    file.seek(0)
    assert "method" in file.read()


def test_several_tasks_end_with_one_table_side_by_side() -> None:
    shown = as_text(comparison(("sst2", "stsb")), Path("runs"))
    assert "All tasks" in shown
    assert "All tasks" not in as_text(comparison(("sst2",)), Path("runs"))
