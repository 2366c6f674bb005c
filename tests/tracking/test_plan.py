"""What each run of a comparison holds: its place in the tree, numbers, settings and tags."""

from __future__ import annotations

import dataclasses
import json
import statistics
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.records import Latency
from tunebench.tracking import Tracker

from tests.records import comparison
from tests.tracking.mirrored import PARENT, by_kind, runs_of, sync

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


def test_a_cell_carries_its_numbers_settings_and_origin(out: Path) -> None:
    whole = comparison(out=out)
    templated = dataclasses.replace(whole.results[0], template="Review: {sentence}")
    whole = dataclasses.replace(whole, results=(templated, *whole.results[1:]))
    ids = sync(Tracker(None, out), whole)
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    row = whole.results[0]
    run = client.get_run(ids[row.cell])
    assert run.data.tags["template"] == "Review: {sentence}"
    assert "template" not in client.get_run(ids[whole.results[-1].cell]).data.tags
    for name in ("accuracy", "score", "trainable_params", "trainable_params_with_head"):
        assert run.data.metrics[name] == getattr(row, name)
    for name in ("stored_params", "latency_ms", "train_seconds", "peak_memory_mib"):
        assert run.data.metrics[name] == getattr(row, name)
    settings = {"lr": "0.0012", "rank": "8", "sites": '["attn.q", "attn.v"]'}
    assert run.data.params == {"method": row.method, **settings}
    assert run.data.tags["seed"] == "0"
    assert run.data.tags["data_source"] == row.data_source
    assert json.loads(run.data.tags["versions"]) == row.versions
    curve = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(p.step, p.value) for p in curve] == list(
        zip(row.curve.steps, row.curve.loss, strict=True)
    )
    stored = client.download_artifacts(run.info.run_id, "adapter/adapter.safetensors")
    assert Path(stored).read_bytes() == (out / row.adapter).read_bytes()


def test_a_run_names_the_rows_that_trained_chose_and_tested_it_with_their_digests(
    out: Path,
) -> None:
    splits = {"train": "1" * 64, "validation": "2" * 64, "test": "3" * 64, "test/odd": "4" * 64}
    whole = comparison(("sst2",), ("lora",), (0,))
    known = dataclasses.replace(whole.results[0], splits=splits)
    ids = sync(Tracker(None, out), dataclasses.replace(whole, results=(known,)))
    run = MlflowClient(f"sqlite:///{out}/mlflow.db").get_run(ids[known.cell])
    seen = {one.dataset.name: one for one in run.inputs.dataset_inputs}
    assert {name: one.dataset.digest for name, one in seen.items()} == {
        f"sst2 {split}": digest[:36] for split, digest in splits.items()
    }
    contexts = {name: one.tags[0].value for name, one in seen.items()}
    odd = {"sst2 test": "testing", "sst2 test/odd": "testing"}
    assert contexts == {"sst2 train": "training", "sst2 validation": "validation", **odd}
    assert json.loads(seen["sst2 train"].dataset.profile) == {"num_rows": known.train_examples}
    source = mlflow.data.get_source(seen["sst2 train"])
    assert source.to_dict() == {"tags": {"source": known.data_source}}


def test_a_record_without_digests_of_its_splits_names_the_whole_data(out: Path) -> None:
    whole = comparison(("sst2",), ("lora",), (0,))
    ids = sync(Tracker(None, out), whole)
    (row,) = whole.results
    run = MlflowClient(f"sqlite:///{out}/mlflow.db").get_run(ids[row.cell])
    (only,) = run.inputs.dataset_inputs
    assert (only.dataset.name, only.dataset.digest) == ("sst2", row.data_digest[:36])


def test_no_metric_is_bookkeeping_or_stands_there_twice(out: Path) -> None:
    whole = comparison(("sst2", "stsb"), ("lora", "head"), (0, 1))
    batches = [(1, 1.07), (32, 1.02)]
    rows = [
        dataclasses.replace(
            row,
            metric="mcc" if row.task == "sst2" else row.metric,
            metrics={**row.metrics, **({"mcc": row.score or 0.0} if row.task == "sst2" else {})},
            latency=tuple(
                Latency(size, 24, size * (row.latency_ms or 0.0), size * 9.0, ratio, 200)
                for size, ratio in batches
            ),
        )
        for row in whole.results
    ]
    sync(Tracker(None, out), dataclasses.replace(whole, results=tuple(rows)))
    kinds = by_kind(out)
    assert not any(run.data.metrics for run in kinds["comparison"])
    assert {name for run in kinds["trial"] for name in run.data.metrics} == {
        "train_loss",
        "validation_score",
    }
    for run in kinds["cell"] + kinds["study"]:
        metrics = {k: v for k, v in run.data.metrics.items() if k not in ("accuracy", "pearson")}
        assert not {name for name in metrics if name.endswith(("examples", "truncated", "failed"))}
        values = [value for value in metrics.values() if value != 0]
        assert len(values) == len(set(values)), metrics
    texts = kinds["study"][0].data.tags
    assert (texts["seeds_complete"], texts["trials_complete"]) == ("2 of 2", "2 of 2")
    assert texts["train_examples"] == "400"
    assert kinds["comparison"][0].data.tags["cells_complete"] == "8 of 8"


def test_a_trial_of_several_epochs_has_its_validation_score_by_step(out: Path) -> None:
    whole = comparison(("sst2",), ("lora",), (0,), trials=1)
    (trial,) = whole.trials
    curve = dataclasses.replace(trial.curve, epochs=(10, 20), validation=(0.5, 0.75))
    grown = dataclasses.replace(trial, curve=curve, score=0.75)
    tracker, records = Tracker(None, out), dataclasses.replace(whole, trials=(grown,))
    sync(tracker, records)
    (run,) = by_kind(out)["trial"]
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    points = client.get_metric_history(run.info.run_id, "validation_score")
    assert [(point.step, point.value) for point in points] == [(10, 0.5), (20, 0.75)]
    assert run.data.metrics["validation_score"] == 0.75
    assert tracker.check(analyse(records)) == []


def test_a_study_shows_the_mean_over_its_seeds_and_a_picture_of_its_curves(out: Path) -> None:
    whole = comparison(tasks=("sst2",), seeds=(0, 1, 2))
    sync(Tracker(None, out), whole)
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    for run in by_kind(out)["study"]:
        rows = [row for row in whole.results if row.method == run.data.tags["method"]]
        mean = statistics.fmean(row.accuracy or 0.0 for row in rows)
        assert run.data.metrics["accuracy"] == pytest.approx(mean, abs=1e-12)
        spread = statistics.stdev(row.score or 0.0 for row in rows)
        assert run.data.metrics["score_sd"] == pytest.approx(spread, abs=1e-12)
        assert run.data.tags["seeds_complete"] == "3 of 3"
        files = [file.path for file in client.list_artifacts(run.info.run_id)]
        assert files == ["learning_curves.svg"]


def test_a_study_lasts_as_long_as_what_it_trained_and_stands_as_in_the_table(out: Path) -> None:
    whole = comparison(seeds=(0, 1))
    sync(Tracker(None, out), whole)
    kinds = by_kind(out)
    for run in kinds["study"]:
        below = kinds["trial"] + kinds["cell"]
        children = [one for one in below if one.data.tags[PARENT] == run.info.run_id]
        trained = sum(one.info.end_time - one.info.start_time for one in children)
        assert run.info.end_time - run.info.start_time == pytest.approx(trained, abs=len(children))
    begun = sorted(kinds["study"], key=lambda run: run.info.start_time)
    names = dict.fromkeys(f"{row.task} {row.method}" for row in whole.results)
    assert [run.info.run_name for run in begun] == list(names)


def test_a_regression_has_a_score_and_no_accuracy(out: Path) -> None:
    sync(Tracker(None, out), comparison(tasks=("stsb",)))
    for run in by_kind(out)["study"] + by_kind(out)["cell"]:
        assert "score" in run.data.metrics
        assert "accuracy" not in run.data.metrics


def test_runs_are_closed_as_their_records_ended(out: Path) -> None:
    status = {("sst2", "lora", 0): "diverged", ("sst2", "lora", 1): "error"}
    status |= {("sst2", "head", 0): "missing", ("sst2", "head", 1): "complete"}
    whole = comparison(tasks=("sst2",), status=status)  # type: ignore[arg-type]
    sync(Tracker(None, out), whole, status="killed")
    ended = {run.info.run_name: run for run in runs_of(out)}
    assert ended["sst2 lora seed 0"].info.status == "FINISHED"
    assert ended["sst2 lora seed 0"].data.tags["status"] == "diverged"
    assert ended["sst2 lora seed 1"].info.status == "FAILED"
    assert ended["sst2 lora seed 1"].data.tags["reason"] == "made-up error"
    assert ended["sst2 lora"].info.status == "FAILED"
    assert ended["sst2 head seed 1"].info.status == "FINISHED"
    assert ended["sst2 head"].info.status == "KILLED"
    assert "sst2 head seed 0" not in ended
    assert by_kind(out)["comparison"][0].info.status == "KILLED"


def test_an_infinite_number_is_left_out(out: Path) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",), seeds=(0,))
    row = dataclasses.replace(
        whole.results[0], latency_ms=float("inf"), metrics={"f1": float("nan")}
    )
    tracker = Tracker(None, out)
    ids = sync(tracker, dataclasses.replace(whole, results=(row,)))
    held = MlflowClient(f"sqlite:///{out}/mlflow.db").get_run(ids[row.cell]).data.metrics
    assert "latency_ms" not in held
    assert "f1" not in held


def test_the_report_files_are_kept_when_the_comparison_ends(out: Path) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",))
    (out / "results.csv").write_text("task\n")
    tracker = Tracker(None, out)
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    sync(tracker, whole, status="running")
    top = by_kind(out)["comparison"][0].info.run_id
    assert [file.path for file in client.list_artifacts(top)] == ["experiment.json"]
    sync(tracker, whole)
    assert [file.path for file in client.list_artifacts(top)] == ["experiment.json", "results.csv"]


def test_what_was_left_out_stands_in_the_comparison_s_tags(out: Path) -> None:
    records = dataclasses.replace(
        comparison(("sst2",), ("head",), (0,)), left_out={"mrpc": "no dev.tsv"}
    )
    sync(Tracker(None, out), records)
    kinds = by_kind(out)
    assert kinds["comparison"][0].data.tags["left_out"] == "mrpc: no dev.tsv"
    assert all("left_out" not in run.data.tags for run in kinds["cell"])


def test_each_study_hangs_below_the_comparison_and_its_trials_and_seeds_below_it(out: Path) -> None:
    sync(Tracker(None, out), comparison())
    kinds = by_kind(out)
    assert {kind: len(runs) for kind, runs in kinds.items()} == {
        "comparison": 1,
        "study": 4,
        "trial": 8,
        "cell": 8,
    }
    top = kinds["comparison"][0]
    studies = {run.info.run_id: run for run in kinds["study"]}
    assert PARENT not in top.data.tags
    assert {run.data.tags[PARENT] for run in studies.values()} == {top.info.run_id}
    for run in kinds["trial"] + kinds["cell"]:
        study = studies[run.data.tags[PARENT]]
        assert study.data.tags["task"] == run.data.tags["task"]
        assert study.data.tags["method"] == run.data.tags["method"]
