"""A latency's ratio with its interval, and the word where there is none, in every view."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis import analyse
from tunebench.analysis.format import ABSENT, NOISY
from tunebench.records import Comparison, Latency
from tunebench.report import csv as table
from tunebench.report import json as script
from tunebench.report import markdown, page
from tunebench.report.tables import text as shown_text

from tests.records import comparison

STEADY = Latency(1, 24, 10.5, None, 1.05, 30, 1.02, 1.081)
NOISE = Latency(1, 24, 10.5, None, None, 30)
OLD = Latency(1, 24, 10.5, 12.0, 1.05, 30)


def planned(*latencies: Latency | None) -> Comparison:
    """One method, and a seed for each latency."""
    whole = comparison(("sst2",), ("lora",), tuple(range(len(latencies))))
    rows = tuple(
        replace(
            row,
            latency=() if one is None else (one,),
            latency_ms=None if one is None else one.median_ms,
        )
        for row, one in zip(whole.results, latencies, strict=True)
    )
    return replace(whole, results=rows)


def lines(records: Comparison) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.text(analyse(records), {}))))


def test_the_csv_has_the_interval_and_the_verdict_beside_an_empty_number() -> None:
    steady, noise, old, none = lines(planned(STEADY, NOISE, OLD, None))
    names = ("latency_ratio", "latency_ratio_ci95_low", "latency_ratio_ci95_high", "latency_noise")
    assert [steady[name] for name in names] == ["1.05", "1.02", "1.081", ""]
    assert [noise[name] for name in names] == ["", "", "", NOISY]
    assert [old[name] for name in names] == ["1.05", "", "", ""]
    assert [none[name] for name in names] == [""] * 4


def test_page_and_markdown_show_the_ratio_with_its_interval() -> None:
    analysis = analyse(planned(STEADY))
    wanted = "1.05× (1.02× to 1.08×)"
    assert wanted in markdown.text(analysis)
    assert shown_text(wanted) in page.text(analysis, {})


def test_a_record_from_before_intervals_shows_its_ratio_alone() -> None:
    shown = markdown.text(analyse(planned(OLD)))
    assert "1.05×" in shown
    assert "1.05× (" not in shown


def test_noise_has_its_word_and_what_nobody_measured_another() -> None:
    for latency, word in ((NOISE, NOISY), (None, ABSENT)):
        analysis = analyse(planned(latency))
        (row,) = (row for row in analysis.tasks[0].rows if row.trained)
        assert row.absent("latency_ratio") == row.absent("latency_ms") == word
        lines_of_lora = [one for one in markdown.text(analysis).splitlines() if "lora" in one]
        assert 2 in [one.count(word) for one in lines_of_lora]
        assert word in page.text(analysis, {})
        (line,) = (one for one in json.loads(script.text(analysis))["rows"] if one["trained"])
        assert line["noisy"] == (["latency_ms", "latency_ratio"] if latency is NOISE else [])
        assert "latency_ratio" not in line["values"]


def test_a_mean_over_seeds_has_the_interval_of_so_many_measurements() -> None:
    """Simulated: by how much the mean of three ratios errs whose errors have known widths."""
    truth, halves = np.array([1.0, 1.1, 1.3]), np.array([0.01, 0.02, 0.03])
    latencies = [
        replace(STEADY, ratio=x, ratio_low=x * math.exp(-h), ratio_high=x * math.exp(h))
        for x, h in zip(truth.tolist(), halves.tolist(), strict=True)
    ]
    (row,) = (row for row in analyse(planned(*latencies)).tasks[0].rows if row.trained)
    mean = row.values["latency_ratio"]
    assert mean.interval is not None
    errors = np.random.default_rng(0).normal(0, halves / 1.96, (100_000, 3))
    means = (truth * np.exp(errors)).mean(1)
    covered = ((means > mean.interval[0]) & (means < mean.interval[1])).mean()
    assert covered == pytest.approx(0.95, abs=0.02)
    (line,) = (
        one
        for one in json.loads(script.text(analyse(planned(*latencies))))["rows"]
        if one["trained"]
    )
    ends = line["values"]["latency_ratio"]
    assert (ends["low"], ends["high"]) == mean.interval


def test_one_seed_without_an_interval_leaves_the_mean_without_one() -> None:
    (row,) = (row for row in analyse(planned(STEADY, OLD)).tasks[0].rows if row.trained)
    assert row.values["latency_ratio"].interval is None


def test_noise_on_one_seed_leaves_the_mean_to_the_others() -> None:
    (row,) = (row for row in analyse(planned(STEADY, NOISE)).tasks[0].rows if row.trained)
    assert row.values["latency_ratio"].value == 1.05
    assert "latency_ratio" not in row.texts
