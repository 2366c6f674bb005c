"""Tie groups and intervals in MLflow: of each study's run, and nothing more the next time."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.verdict import resampled
from tunebench.records import Fold
from tunebench.tracking import Tracker
from tunebench.tracking.marks import NOTE, WINNER, Mark, groups, intervals, missing_of
from tunebench.tracking.writer import Writer

from tests.analysis.planted import analysed, answered, reader, records_of
from tests.analysis.verdict.made_up import cells

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

SHARES = {"lora": 0.8, "full": 0.79, "head": 0.7}


def close(out: Path, analysis: Analysis) -> Tracker:
    tracker = Tracker(None, out)
    tracker.prepare()
    # While cells come in no answers are read.
    tracker.sync(analyse(analysis.comparison), status="finished")
    tracker.close(analysis, status="finished")
    return tracker


def groups_of(out: Path) -> dict[str, str | None]:
    """Method → the tag of its study's run."""
    return {method: run.data.tags.get("group") for method, run in studies_of(out).items()}


def metrics_of(out: Path) -> dict[str, dict[str, float]]:
    """Method → the metrics of its study's run."""
    return {method: run.data.metrics for method, run in studies_of(out).items()}


def studies_of(out: Path) -> dict[str, Run]:
    """Method → its study's run."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    ids = [each.experiment_id for each in client.search_experiments()]
    return {run.data.tags["method"]: run for run in client.search_runs(ids, "tags.kind = 'study'")}


def test_each_study_s_run_has_its_letters_and_a_second_time_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = analysed(answered(SHARES))
    close(tmp_path, analysis)
    assert groups_of(tmp_path) == {"lora": "a", "full": "a", "head": "b"}

    def refuse(*_: object) -> None:
        pytest.fail("a run that is as it should be was written")

    monkeypatch.setattr(Writer, "mark", refuse)
    tracker = close(tmp_path, analysis)
    assert tracker.check(analyse(analysis.comparison)) == []


def test_letters_that_no_longer_hold_are_changed_and_taken_away(tmp_path: Path) -> None:
    made = cells(answered(SHARES))
    close(tmp_path, analyse(records_of(made), reader(made)))
    unread = analyse(records_of(made), lambda result: None)
    close(tmp_path, unread)
    assert groups_of(tmp_path) == dict.fromkeys(SHARES)


def test_each_study_s_run_has_the_interval_of_its_score_as_metrics(tmp_path: Path) -> None:
    analysis = analysed(answered(SHARES))
    close(tmp_path, analysis)
    for method, metrics in metrics_of(tmp_path).items():
        drawn = resampled(analysis.cells, analysis.tasks[0].task).of(method)
        assert drawn is not None
        ends = np.quantile(drawn, [0.025, 0.975])
        low, high = metrics["score_ci95_low"], metrics["score_ci95_high"]
        assert [low, high] == pytest.approx(ends, abs=1e-12)
        assert low < metrics["score"] < high


def test_an_interval_that_no_longer_holds_is_no_number(tmp_path: Path) -> None:
    made = cells(answered(SHARES))
    close(tmp_path, analyse(records_of(made), reader(made)))
    close(tmp_path, analyse(records_of(made), lambda result: None))
    for metrics in metrics_of(tmp_path).values():
        assert math.isnan(metrics["score_ci95_low"])
        assert math.isnan(metrics["score_ci95_high"])


def test_one_seed_has_no_interval() -> None:
    ends = intervals(analysed(answered(SHARES, seeds=1)))
    assert len(ends) == len(SHARES)
    assert all(math.isnan(end) for pair in ends.values() for end in pair.values())


def test_one_seed_has_no_letters_and_without_answers_nothing_is_known_of_them() -> None:
    single = analysed(answered(SHARES, seeds=1))
    assert set(groups(single).values()) == {""}
    assert groups(analyse(single.comparison)) == {}


def test_without_answers_no_study_has_an_interval_to_write() -> None:
    """Not a number would be one more metric of each of its runs."""
    assert intervals(analyse(analysed(answered(SHARES)).comparison)) == {}


@pytest.mark.parametrize("part", [{"searches": 2}, {"fold": Fold("reviews", 1, 5)}])
def test_a_study_that_is_a_part_has_not_the_interval_of_the_whole(part: dict[str, Any]) -> None:
    analysis = analysed(answered(SHARES))
    parts = tuple(dataclasses.replace(cell, **part) for cell in analysis.cells)
    cut = dataclasses.replace(analysis, cells=parts)
    assert all(cell.interval for cell in parts)
    read = {cell.task for cell in parts} & {task.task for task in cut.tasks}
    ends = intervals(cut)
    assert bool(ends) == bool(read)
    assert all(math.isnan(end) for pair in ends.values() for end in pair.values())


OURS = Mark({WINNER: "sst2", NOTE: "ours"})


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        (Mark(), OURS),
        (Mark({WINNER: "sst2", NOTE: "ours as it was"}), Mark({NOTE: "ours"})),
        (Mark({NOTE: "somebody's own"}), Mark({WINNER: "sst2"})),
        (OURS, Mark()),
    ],
)
def test_a_description_that_somebody_else_wrote_stays(held: Mark, missing: Mark) -> None:
    assert missing_of(OURS, held) == missing


def test_what_should_not_be_there_is_taken_away_once() -> None:
    nothing = Mark({WINNER: "", NOTE: ""}, {"score_ci95_low": math.nan})
    assert missing_of(nothing, Mark()) == Mark()
    taken = missing_of(nothing, OURS | Mark(metrics={"score_ci95_low": 0.5}))
    assert taken.tags == nothing.tags
    assert math.isnan(taken.metrics["score_ci95_low"])
