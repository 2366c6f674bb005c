"""What MLflow gets that needs stored answers: written once, with the run, and read once."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import PredictionReader, Predictions, read_from
from tunebench.progress import Quiet
from tunebench.records import Comparison, Result
from tunebench.study import publish
from tunebench.study.doctor import examine
from tunebench.study.publish import Publisher
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
    publisher = Publisher(tmp_path, None, Quiet())
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
