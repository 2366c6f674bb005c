"""Costs of training by planted records: times to a target from a curve, and old records."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.training_cost import (
    padding_share,
    reached,
    readings,
    stated_target,
    tokens_per_second,
)
from tunebench.records import Comparison, Curve, Study, TrainingCost
from tunebench.report import csv as csv_file
from tunebench.report import json as json_file
from tunebench.report import markdown, page
from tunebench.report.console import plain, written
from tunebench.report.terminal import show

from tests.records import comparison, trial

NEW = ("tokens/s", "padding", "s to target", "energy J")
COST = TrainingCost(6_000, 8_000, (1.0, 2.5, 4.0), (), {"package-0": 100.0, "gpu": 20.5})
CURVES: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # Of each method the validation scores after each of three epochs, and the seconds until then.
    "lora": ((0.60, 0.80, 0.75), (2.0, 4.0, 6.0)),
    "head": ((0.50, 0.65, 0.70), (0.1, 0.2, 0.3)),
}


def planted(**experiment: object) -> Comparison:
    """Two methods whose best trial is number 1, on one task and two seeds."""
    records = comparison(("sst2",), ("lora", "head"), (0, 1))
    trials = []
    for each in records.trials:
        scores, seconds = CURVES["lora" if "lora" in each.study else "head"]
        if each.number == 0:
            scores = (0.99, 0.99, 0.99)  # of a trial that did not win
        curve = Curve((10, 20, 30), (0.5, 0.4, 0.3), (10, 20, 30), scores)
        trials.append(replace(each, curve=curve, cost=TrainingCost(epoch_seconds=seconds)))
    results = tuple(replace(row, best_trial=1, cost=COST) for row in records.results)
    return replace(
        records,
        trials=tuple(trials),
        results=results,
        studies=tuple(Study(row.study, row.task, row.method) for row in results if row.seed == 0),
        experiment={**records.experiment, **experiment},
    )


def values(analysis: Analysis, column: str) -> dict[str, float | None]:
    return {row.name: row.value(column) for row in analysis.tasks[0].rows if row.trained}


def test_without_a_stated_target_it_is_the_highest_score_that_every_method_reached() -> None:
    analysis = analyse(planted())
    assert values(analysis, "target_score") == {"lora": 0.70, "head": 0.70}
    # lora is above 0.70 after its second epoch, and head after its third, which is its best.
    assert values(analysis, "seconds_to_target") == {"lora": 4.0, "head": pytest.approx(0.3)}
    assert values(analysis, "steps_to_target") == {"lora": 20, "head": 30}


@pytest.mark.parametrize(
    ("target", "seconds"),
    [
        (0.55, {"lora": 2.0, "head": pytest.approx(0.2)}),
        (0.80, {"lora": 4.0, "head": None}),
        (0.801, {"lora": None, "head": None}),
    ],
)
def test_a_stated_target_is_asked_of_all(target: float, seconds: dict[str, float | None]) -> None:
    analysis = analyse(planted(target_score=target))
    assert values(analysis, "seconds_to_target") == seconds
    assert values(analysis, "target_score") == {"lora": target, "head": target}


@pytest.mark.parametrize("stranger", ["0.5", True, float("nan"), 2.0, None, {"a": 1}])
def test_a_target_that_is_no_score_is_none(stranger: object) -> None:
    assert stated_target(planted(target_score=stranger)) is None


def test_a_trial_of_one_epoch_is_known_at_its_end() -> None:
    one = replace(trial("sst2", "lora", 0), score=0.7, cost=TrainingCost(seconds=(1, 2, 3, 4.5)))
    assert readings(one) == ((4.5, one.curve.steps[-1], 0.7),)
    assert reached(readings(one), 0.7) is not None
    assert reached(readings(one), 0.71) is None
    assert readings(replace(one, score=None, status="error")) == ()
    old = replace(one, cost=TrainingCost())
    assert readings(old) == ((None, one.curve.steps[-1], 0.7),)


def test_rates_and_shares_are_what_the_counts_say() -> None:
    assert tokens_per_second(COST) == 6_000 / 4.0
    assert padding_share(COST) == 0.25
    for nothing in (TrainingCost(), TrainingCost(10), TrainingCost(10, 0, (0.0,))):
        assert (tokens_per_second(nothing), padding_share(nothing)) == (None, None)
    analysis = analyse(planted())
    assert values(analysis, "energy_j") == {"lora": 120.5, "head": 120.5}


def test_every_view_shows_what_was_measured() -> None:
    analysis = analyse(planted())
    assert not {column.title for column in analysis.tasks[0].columns("page")} & {*NEW}
    for view in ("page_training", "markdown"):
        titles = [column.title for column in analysis.tasks[0].columns(view)]
        assert [title for title in titles if title in NEW] == list(NEW)
    assert {"tokens/s", "padding", "s to target", "energy J"} <= {
        name for name, _ in analysis.reading
    }
    text = markdown.text(analysis)
    assert "| 1,500 | 25 % | 0.300 | 120 | complete |" in text
    rows = list(csv.DictReader(io.StringIO(csv_file.text(analysis, {}), newline="")))
    assert {row["energy_counters"] for row in rows} == {"package-0, gpu"}
    assert {row["tokens_per_second"] for row in rows} == {"1500.0"}
    lines = json_file.content(analysis)
    assert lines["rows"][0]["values"]["padding_share"]["mean"] == 0.25
    first = [one for one in lines["epochs"] if (one["method"], one["trial"]) == ("lora", 1)]
    assert [(one["seconds"], one["step"], one["validation"]) for one in first] == [
        (2.0, 10, 0.60),
        (4.0, 20, 0.80),
        (6.0, 30, 0.75),
    ]


def test_the_page_has_them_in_a_table_of_their_own_with_a_row_for_each_trained_method() -> None:
    source = page.text(analyse(planted()), {})
    (_, after) = source.split("<summary>What training took</summary>")
    table = after.split("</table>")[0]
    assert re.findall('<th scope="col">([^<]*)</th>', table) == ["method", *NEW]
    rows = re.findall("<tr>.*?</tr>", table, re.DOTALL)[1:]
    shown = [re.findall('<td data-value="[^"]*">([^<]*)</td>', row) for row in rows]
    assert shown == [["1,500", "25 %", "4.00", "120"], ["1,500", "25 %", "0.300", "120"]]


def test_records_from_before_show_none_of_it() -> None:
    analysis = analyse(comparison(("sst2",), ("lora", "head"), (0, 1)))
    # The times are not known, though the scores are.
    for view in ("page", "page_training", "markdown", "terminal"):
        assert not {column.title for column in analysis.tasks[0].columns(view)} & {*NEW}
    assert not {name for name, _ in analysis.reading} & {*NEW}
    assert "What training took" not in page.text(analysis, {})


def test_one_old_record_among_new_ones_is_not_measured(tmp_path: Path) -> None:
    records = planted()
    old = tuple(
        replace(row, cost=TrainingCost()) if row.method == "head" else row
        for row in records.results
    )
    analysis = analyse(replace(records, results=old))
    line = next(one for one in markdown.text(analysis).splitlines() if one.startswith("| head"))
    assert line.count("not measured") == 3
    console = plain()
    show(analysis, tmp_path, console)
    assert "tokens/s" not in written(console)
