"""What a model forgets as a column: the command's own figures, and its coverage over seeds."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.cells import cells_of
from tunebench.analysis.retention import with_forgetting
from tunebench.records import Comparison, PlainTextLosses, Result
from tunebench.report import csv as csv_file
from tunebench.report import json as json_file
from tunebench.report import markdown
from tunebench.report.console import written
from tunebench.report.terminal import show
from tunebench.retention.stored import retention_of

from tests.records import comparison

HEADINGS = ["forgets", "forgets, as trained"]


def losses(cell: Result, number: int = 0, texts: str = "a", count: int = 40) -> PlainTextLosses:
    """Made-up losses of texts of many lengths."""
    rng = np.random.default_rng([number, cell.seed, len(cell.method)])
    tokens = np.random.default_rng(number).integers(3, 50, count)
    before = np.random.default_rng(number).normal(4, 1, count) * tokens
    changed = before + rng.normal(0.1, 0.3, count) * tokens
    return PlainTextLosses(
        cell=cell.cell,
        trained=cell.finished,
        source=f"test texts of {texts}",
        texts=texts,
        tokens=tuple(tokens.tolist()),
        untuned=tuple(before.tolist()),
        as_trained=tuple((changed + 0.5).tolist()),
        folded=tuple(changed.tolist()),
        finished=f"2026-01-0{number + 1}T00:00:00+00:00",
    )


def measured(records: Comparison, *more: PlainTextLosses) -> Comparison:
    return replace(records, retention=(*map(losses, records.results), *more))


def line(analysis: Analysis, name: str) -> tuple[float | None, tuple[float, float] | None]:
    (row,) = (row for row in analysis.tasks[0].rows if row.name == name)
    mean = row.values.get("retention_change")
    return (None, None) if mean is None else (mean.value, mean.interval)


def test_a_run_s_column_has_the_command_s_own_figures() -> None:
    records = measured(comparison(("sst2",), ("lora", "full"), (0,)))
    analysis = analyse(records)
    rows = list(csv.DictReader(io.StringIO(csv_file.text(analysis, {}), newline="")))
    for one, row in zip(records.retention, rows, strict=True):
        known = retention_of(one)
        value, interval = line(analysis, row["method"])
        expected = (known.folded.change, known.folded.low, known.folded.high)
        assert interval is not None
        assert (value, *interval) == pytest.approx(expected, abs=1e-9)
        names = ("retention_change", "retention_ci95_low", "retention_ci95_high")
        assert [float(row[name]) for name in names] == pytest.approx(expected, abs=1e-9)
        assert float(row["retention_change_as_trained"]) == pytest.approx(known.as_trained.change)
        assert row["retention_texts"] == "test texts of a"


def test_what_changes_nothing_has_an_interval_of_nothing() -> None:
    records = comparison(("sst2",), ("head",), (0, 1))
    same = [replace(one := losses(row), folded=one.untuned) for row in records.results]
    value, interval = line(analyse(replace(records, retention=tuple(same))), "head")
    assert (value, interval) == (0.0, (0.0, 0.0))


def test_over_seeds_and_texts_the_interval_holds_the_truth() -> None:
    """Seeds, texts, and what is left of both differ; lengths do too, and long texts more."""
    rng, held = np.random.default_rng(7), 0
    records = comparison(("sst2",), ("lora",), (0, 1, 2))
    cells, every = cells_of(records), np.arange(5, 60)
    truth = ((0.1 + 0.01 * (every - 32)) * every).sum() / every.sum()
    for _ in range(300):
        tokens = rng.integers(5, 60, 60)
        texts = 0.1 + 0.01 * (tokens - 32) + rng.normal(0, 0.15, 60)
        made = []
        for row in records.results:
            each = (texts + rng.normal(0, 0.05) + rng.normal(0, 0.1, 60)) * tokens
            made.append(
                replace(
                    losses(row),
                    tokens=tuple(tokens.tolist()),
                    untuned=(0.0,) * 60,
                    as_trained=(0.0,) * 60,
                    folded=tuple(each.tolist()),
                )
            )
        first, *_ = with_forgetting(cells, replace(records, retention=tuple(made)))
        assert first.forgetting is not None
        low, high = first.forgetting.folded.interval
        held += low <= truth <= high
    assert 0.92 <= held / 300 <= 0.99


def test_a_task_is_shown_on_the_texts_that_were_measured_last() -> None:
    records = comparison(("sst2",), ("lora", "full"), (0,))
    lora, full = records.results
    known = measured(records, losses(lora, 1, "b"))
    analysis = analyse(known)
    # full was not measured on these, and other texts do not compare.
    assert line(analysis, "full") == (None, None)
    assert line(analysis, "lora")[0] == pytest.approx(
        retention_of(known.retention[-1]).folded.change
    )
    assert ("Plain text", "test texts of b, 40 texts") in analysis.facts
    text = markdown.text(analysis)
    (shown,) = (one for one in text.splitlines() if one.startswith(("| full", "| **full")))
    assert shown.count("not measured") == 2
    both = measured(records, losses(lora, 1, "b"), losses(full, 1, "b"))
    assert line(analyse(both), "full")[0] is not None


def test_another_training_of_the_cell_and_a_stranger_s_record_say_nothing() -> None:
    records = comparison(("sst2",), ("lora",), (0,))
    (row,) = records.results
    usable = losses(row)
    for useless in (
        replace(usable, trained="2025-01-01T00:00:00+00:00"),
        replace(usable, cell="another"),
        replace(usable, tokens=usable.tokens[:-1]),
        replace(usable, tokens=(0, *usable.tokens[1:])),
        replace(usable, **dict.fromkeys(("tokens", "untuned", "as_trained", "folded"), ())),
    ):
        analysis = analyse(replace(records, retention=(useless,)))
        assert line(analysis, "lora") == (None, None)
        for view in ("terminal", "page", "markdown"):
            titles = [column.title for column in analysis.tasks[0].columns(view)]
            assert not {*titles} & {*HEADINGS}


def test_every_view_has_the_change_with_its_interval(tmp_path: Path) -> None:
    analysis = analyse(measured(comparison(("sst2",), ("lora", "full"), (0, 1))))
    value, interval = line(analysis, "lora")
    assert value is not None
    assert interval is not None
    shown = f"{value:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"
    for view in ("page", "markdown"):
        assert [one.title for one in analysis.tasks[0].columns(view)][-2:] == HEADINGS
    assert shown in markdown.text(analysis)
    console = Console(file=io.StringIO(), highlight=False, width=200)
    show(analysis, tmp_path, console)
    assert shown in written(console)
    (row,) = (one for one in json_file.content(analysis)["rows"] if one["method"] == "lora")
    ends = {"low": interval[0], "high": interval[1]}
    assert row["values"]["retention_change"].items() >= {"mean": value, **ends}.items()
    assert row["values"]["score"]["low"] is None
