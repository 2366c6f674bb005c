"""What MLflow gets, in which order, once, and what is noted where it does not answer."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import PredictionReader, Predictions, read_from
from tunebench.progress import Quiet
from tunebench.records import Comparison, Result
from tunebench.store.store import Store
from tunebench.study import publish
from tunebench.study.doctor import examine
from tunebench.study.publish import Publisher
from tunebench.study.rhythm import Rhythm
from tunebench.tracking import TrackingError
from tunebench.tracking.address import VARIABLE

from tests.records import comparison
from tests.tracking.test_folders import put

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
ECE = {"lora": 0.2, "head": 0.3}


def stored(out: Path) -> Comparison:
    """A store of two cells whose answers are all right, with a confidence of 1 - ECE."""
    records = comparison(("sst2",), tuple(ECE), (0,), trials=0, out=out)
    for row in records.results:
        sure = [1 - ECE[row.method]] * 3
        columns = {"id": ["a", "b", "c"], "label": ["yes"] * 3, "prediction": ["yes"] * 3}
        table = pa.table({**columns, "probability_yes": sure})
        pq.write_table(table, out / row.predictions)
    put(out, records)
    return records


def test_the_calibration_error_is_a_metric_of_the_cell_s_run_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    read: list[str] = []

    def counting(out: Path) -> PredictionReader:
        inner = read_from(out)

        def one(result: Result) -> Predictions | None:
            read.append(result.method)
            return inner(result)

        return one

    monkeypatch.setattr(publish, "read_from", counting)
    records = stored(tmp_path)
    first = replace(records, results=records.results[:1])
    publisher = Publisher(Store(tmp_path), None, Quiet())
    publisher.prepare()
    publisher.sync(first, "running")
    publisher.sync(records, "running")
    assert sorted(read) == ["head", "lora"]
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")

    def histories() -> dict[str, list[float]]:
        runs = {row.method: publisher.run_ids[row.cell] for row in records.results}
        return {
            method: [one.value for one in client.get_metric_history(run, "ece")]
            for method, run in runs.items()
        }

    wanted = {method: [pytest.approx(error)] for method, error in ECE.items()}
    assert histories() == wanted
    publisher.finish(records, "finished")
    assert histories() == wanted
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        assert {row["method"]: [float(row["ece"])] for row in csv.DictReader(file)} == wanted
    assert [line for line in examine(tmp_path) if "MLflow" in line] == []


class Recording:
    """Stands in for MLflow, and keeps what it is asked."""

    def __init__(self, uri: str | None, out: Path) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.notes: list[str] = []
        self.works = True

    def _ask(self, *what: object) -> None:
        self.asked.append(what)
        if not self.works:
            raise TrackingError("no answer")

    def prepare(self) -> str:
        self._ask("prepare")
        return ""

    def sync(self, analysis: object, *, status: str) -> dict[str, str]:
        self._ask("sync", status)
        return {"cell": "run"}

    def close(self, analysis: object, *, status: str) -> None:
        self._ask("close", status)


class Notes(Quiet):
    """Keeps every note."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(publish, "Tracker", Recording)
    made: Any = Publisher(Store(tmp_path), None, Notes())
    monkeypatch.setattr(
        publish, "write", lambda analysis, out, ids: made.tracker.asked.append(("report", ids))
    )
    return made


def test_the_report_is_written_between_the_last_runs_and_the_end(publisher: Any) -> None:
    publisher.sync(comparison(), "running")
    publisher.finish(comparison(), "finished")
    assert publisher.tracker.asked == [
        ("sync", "running"),
        ("sync", "finished"),
        ("report", {"cell": "run"}),
        ("close", "finished"),
    ]
    assert publisher.progress.lines == []


def test_runs_are_followed_at_a_rhythm_and_the_end_comes_whatever_it_says(publisher: Any) -> None:
    """One that takes 4 s of 20 % is due again 16 s later; nothing is assembled in between."""
    now, assembled = [0.0], []

    def stands() -> Comparison:
        now[0] += 4
        assembled.append(now[0])
        return comparison()

    publisher.rhythm = Rhythm(share=0.2, clock=lambda: now[0])
    for _ in range(41):
        publisher.follow(stands)
        now[0] += 1
    assert assembled == [4, 24, 44]
    assert publisher.tracker.asked == [("sync", "running")] * 3
    publisher.finish(comparison(), "finished")
    assert ("sync", "finished") in publisher.tracker.asked


def test_where_mlflow_failed_nothing_is_assembled_for_it(publisher: Any) -> None:
    publisher.tracker.works = False
    publisher.sync(comparison(), "running")
    publisher.rhythm = Rhythm(clock=lambda: 0.0)
    publisher.follow(lambda: pytest.fail("assembled"))


def test_a_failure_is_noted_once_and_only_the_end_tries_again(publisher: Any) -> None:
    publisher.tracker.works = False
    publisher.prepare()
    for _ in range(3):
        publisher.sync(comparison(), "running")
    publisher.finish(comparison(), "killed")
    assert publisher.tracker.asked == [("prepare",), ("sync", "killed"), ("report", {})]
    assert publisher.progress.lines == ["MLflow: no answer; results are safe in the store"]
    assert publisher.failed
    publisher.tracker.works = True
    publisher.finish(comparison(), "finished")
    assert publisher.tracker.asked[-1] == ("close", "finished")
    assert not publisher.failed
    publisher.tracker.works = False
    publisher.sync(comparison(), "running")
    assert len(publisher.progress.lines) == 2
