"""The runs in MLflow mirror the records: the same tree, the same numbers, each once."""

from __future__ import annotations

import dataclasses
import json
import socket
import sqlite3
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.errors import UserError
from tunebench.records import Comparison
from tunebench.text import redact
from tunebench.tracking import Phase, Tracker, TrackingError, serve
from tunebench.tracking import writer as writing
from tunebench.tracking.database import initialise

from tests.records import comparison, missing

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")

PARENT = "mlflow.parentRunId"


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables and nothing else; making one takes seconds."""
    file = tmp_path_factory.mktemp("fresh") / "mlflow.db"
    initialise(file)
    return file


@pytest.fixture
def out(tmp_path: Path, fresh: Path) -> Path:
    """An output folder whose database is ready."""
    (tmp_path / "mlflow.db").write_bytes(fresh.read_bytes())
    return tmp_path


def sync(tracker: Tracker, records: Comparison, status: Phase = "finished") -> dict[str, str]:
    """Write all runs and, where the comparison has ended, close its own."""
    analysis = analyse(records)
    ids = tracker.sync(analysis, status=status)
    if status != "running":
        tracker.close(analysis, status=status)
    return ids


def runs_of(out: Path) -> list[Any]:
    """All runs that MLflow shows, of all experiments."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    ids = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(ids, max_results=1000))


def by_kind(out: Path) -> dict[str, list[Any]]:
    """All runs by their tag `kind`."""
    kinds: dict[str, list[Any]] = {}
    for run in runs_of(out):
        kinds.setdefault(run.data.tags["kind"], []).append(run)
    return kinds


def so_far(whole: Comparison, cells: int) -> Comparison:
    """The comparison when its first cells were there and the others still to come."""
    results = tuple(
        row if i < cells else missing(row.task, row.method, row.seed)
        for i, row in enumerate(whole.results)
    )
    begun = {row.study for row in results if row.status != "missing"}
    trials = tuple(trial for trial in whole.trials if trial.study in begun)
    return dataclasses.replace(whole, results=results, trials=trials)


def content(out: Path) -> list[tuple[Any, ...]]:
    """What a person sees of all runs: names, numbers, settings, tags but not our marks."""
    return sorted(
        (
            run.info.run_name,
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            sorted(run.data.metrics.items()),
            sorted(run.data.params.items()),
            sorted(
                (k, v) for k, v in run.data.tags.items() if k not in (PARENT, "tunebench.digest")
            ),
        )
        for run in runs_of(out)
    )


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
    assert run.inputs.dataset_inputs[0].dataset.name == row.task
    curve = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(p.step, p.value) for p in curve] == list(
        zip(row.curve.steps, row.curve.loss, strict=True)
    )
    stored = client.download_artifacts(run.info.run_id, "adapter/adapter.safetensors")
    assert Path(stored).read_bytes() == (out / row.adapter).read_bytes()


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


def test_a_second_sync_adds_nothing_and_changes_nothing(out: Path) -> None:
    whole = comparison(out=out)
    first = sync(Tracker(None, out), whole)
    seen, ids = content(out), {run.info.run_id for run in runs_of(out)}
    tracker = Tracker(None, out)
    assert sync(tracker, whole) == first
    assert sync(tracker, whole) == first
    assert content(out) == seen
    assert {run.info.run_id for run in runs_of(out)} == ids
    assert tracker.check(analyse(whole)) == []


def test_syncing_after_every_cell_ends_as_syncing_once(tmp_path: Path, fresh: Path) -> None:
    whole = comparison(tasks=("sst2",))
    step_by_step, once = tmp_path / "step by step", tmp_path / "once"
    for folder in (step_by_step, once):
        folder.mkdir()
        (folder / "mlflow.db").write_bytes(fresh.read_bytes())
    tracker = Tracker(None, step_by_step)
    for cells in range(len(whole.results) + 1):
        sync(tracker, so_far(whole, cells), status="running")
        assert by_kind(step_by_step)["comparison"][0].info.status == "RUNNING"
    sync(tracker, whole)
    sync(Tracker(None, once), whole)
    assert content(step_by_step) == content(once)


def test_a_finished_cell_is_left_alone_while_others_run(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparison()
    tracker = Tracker(None, out)
    sync(tracker, so_far(whole, 4), status="running")
    written: list[str] = []
    original = writing.Writer.write

    def watched(self: Any, planned: Any, *rest: Any) -> str:
        written.append(planned.name)
        return original(self, planned, *rest)

    monkeypatch.setattr(writing.Writer, "write", watched)
    sync(tracker, so_far(whole, 5), status="running")
    study = ["stsb lora", "stsb lora trial 0", "stsb lora trial 1", "stsb lora seed 0"]
    assert written == [*study, "sst2, stsb: 2 methods on made-up-backbone, quick"]


def test_a_lost_database_is_filled_again_from_the_records(tmp_path: Path, fresh: Path) -> None:
    whole = comparison(tasks=("sst2",))
    seen = []
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mlflow.db").write_bytes(fresh.read_bytes())
        sync(Tracker(None, tmp_path / name), whole)
        seen.append(content(tmp_path / name))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("step", ["_artifacts", "_data", "_values", "_close"])
def test_a_sync_killed_between_two_writes_is_completed_by_the_next(
    out: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",), out=out)
    calls = Counter[str]()
    original = getattr(writing.Writer, step)

    def killed(self: Any, planned: Any, *rest: Any) -> None:
        calls[step] += 1
        if calls[step] == 4:
            raise KeyboardInterrupt
        original(self, planned, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(writing.Writer, step, killed)
        with pytest.raises(KeyboardInterrupt):
            sync(Tracker(None, out), whole)
    assert Tracker(None, out).check(analyse(whole)) != []
    tracker = Tracker(None, out)
    sync(tracker, whole)
    assert tracker.check(analyse(whole)) == []
    keys = Counter(run.data.tags["tunebench.key"] for run in runs_of(out))
    assert set(keys.values()) == {1}
    for run in by_kind(out)["cell"]:
        client = MlflowClient(f"sqlite:///{out}/mlflow.db")
        points = [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")]
        assert len(points) == len(set(points))


def test_a_cell_that_is_run_again_replaces_what_it_showed(out: Path) -> None:
    broken = comparison(tasks=("sst2",), methods=("lora",), status={("sst2", "lora", 1): "error"})
    tracker = Tracker(None, out)
    sync(tracker, broken, status="failed")
    mended = comparison(tasks=("sst2",), methods=("lora",))
    again = dataclasses.replace(
        mended.results[1],
        hyperparameters={"lr": 0.5},
        curve=dataclasses.replace(mended.results[1].curve, steps=(1, 2, 3, 4)),
    )
    mended = dataclasses.replace(mended, results=(mended.results[0], again))
    ids = sync(tracker, mended)
    assert tracker.check(analyse(mended)) == []
    run = MlflowClient(f"sqlite:///{out}/mlflow.db").get_run(ids[again.cell])
    assert run.data.params == {"method": "lora", "lr": "0.5"}
    assert "reason" not in run.data.tags


def test_the_check_names_what_is_missing_doubled_open_wrong_and_unknown(out: Path) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",))
    tracker = Tracker(None, out)
    assert tracker.check(analyse(whole))[0] == "MLflow has no run of the comparison " + (
        "'sst2: lora on made-up-backbone, quick'"
    )
    ids = sync(tracker, whole)
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    wrong, doubled = ids[whole.results[0].cell], client.get_run(ids[whole.results[1].cell])
    client.log_metric(wrong, "accuracy", 0.123)
    client.create_run(
        doubled.info.experiment_id,
        start_time=doubled.info.start_time + 1,
        tags={k: v for k, v in doubled.data.tags.items() if k.startswith("tunebench.")},
    )
    client.create_run(
        doubled.info.experiment_id,
        tags={"tunebench.comparison": whole.id, "tunebench.key": "nobody's"},
    )
    client.update_run(doubled.data.tags[PARENT], "RUNNING")
    lines = "\n".join(tracker.check(analyse(whole)))
    assert "'sst2 lora seed 0': its accuracy is 0.123 instead of" in lines
    assert "MLflow has 2 runs of the cell 'sst2 lora seed 1'" in lines
    assert "it is RUNNING though nothing runs" in lines
    assert "a run that no record knows: nobody's" in lines
    sync(Tracker(None, out), whole)
    assert tracker.check(analyse(whole)) == ["MLflow has a run that no record knows: nobody's"]


def test_a_check_without_a_database_says_so(tmp_path: Path) -> None:
    assert Tracker(None, tmp_path).check(analyse(comparison())) == [
        f"there is no MLflow database at {tmp_path.resolve()}/mlflow.db"
    ]


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


CANARY = "canary-d41d8cd9"


def test_no_password_reaches_messages_runs_or_logs(
    out: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    uri = f"http://someone:{CANARY}@127.0.0.1:9"
    whole = comparison(tasks=("sst2",), methods=("lora",))
    whole = dataclasses.replace(
        whole,
        experiment={**whole.experiment, "tracking_uri": uri},
        command=f"tunebench compare sst2 --tracking-uri {uri}",
        notes={"sst2": (f"see {uri}",)},
    )
    with pytest.raises(TrackingError) as caught:
        sync(Tracker(uri, out), whole)
    assert caught.value.__suppress_context__
    sync(Tracker(None, out), whole)
    shown = [str(caught.value), caplog.text, *capfd.readouterr(), str(content(out))]
    shown += [path.read_text() for path in (out / "mlartifacts").rglob("*.json")]
    assert not [text for text in shown if CANARY in text]
    assert CANARY.encode() not in (out / "mlflow.db").read_bytes()
    assert "***@127.0.0.1:9" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://u:p@h:1/x", "http://***@h:1/x"),
        ("postgresql+psycopg://u:p@ss'w@h/db?x=1", "postgresql+psycopg://***@h/db?x=1"),
        ("mysql://h/db?user=u&password=p", "mysql://h/db?user=u&password=***"),
        ("nothing to hide: a@b and http://h/x", "nothing to hide: a@b and http://h/x"),
    ],
)
def test_redacting_masks_credentials_and_nothing_else(text: str, masked: str) -> None:
    assert redact(text) == masked


@pytest.mark.parametrize("uri", ["nowhere", "file:///tmp/x", "htp://host", "./mlruns"])
def test_an_address_that_mlflow_cannot_write_to_is_refused_at_once(uri: str, out: Path) -> None:
    with pytest.raises(UserError, match="must begin with one of databricks://, http://"):
        Tracker(uri, out)


def test_showing_an_empty_folder_says_what_to_run_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `tunebench compare` first"):
        serve(None, tmp_path)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_never_answers_is_given_up(
    silent: str, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    tracker = Tracker(silent, out)
    with pytest.raises(TrackingError, match="is not reachable or not writable"):
        tracker.prepare()
    assert sync(tracker, comparison(), status="running") == {}


def test_a_failed_store_is_left_alone_until_the_end(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparison(tasks=("sst2",), methods=("lora",))
    tracker = Tracker("http://127.0.0.1:9", out)
    with pytest.raises(TrackingError):
        sync(tracker, whole, status="running")
    assert sync(tracker, whole, status="running") == {}
    with pytest.raises(TrackingError):
        sync(tracker, whole)


def test_workers_that_start_together_share_one_fresh_database(tmp_path: Path) -> None:
    (tmp_path / ".mlflow.db.fresh").write_bytes(b"left by a process that was killed")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(initialise, [tmp_path / "mlflow.db"] * 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert sync(Tracker(None, tmp_path), comparison())


@pytest.mark.slow
def test_processes_that_start_together_share_one_fresh_database(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tunebench.tracking import Tracker; "
        "Tracker(None, Path(sys.argv[1])).prepare()"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    printed = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4, printed
    assert printed == [b""] * 4
    assert sync(Tracker(None, tmp_path), comparison())


def test_a_database_that_stops_being_one_during_a_run_is_made_again(out: Path) -> None:
    (out / "mlflow.db").write_bytes(b"not a database" * 100)
    tracker = Tracker(None, out)
    assert sync(tracker, comparison())
    (note,) = tracker.notes
    assert note.startswith("mlflow.db cannot be used (")
    assert note.endswith("set aside as mlflow.db.damaged-1, made again")
    assert tracker.check(analyse(comparison())) == []


def test_what_was_left_out_stands_in_the_comparison_s_tags(out: Path) -> None:
    records = dataclasses.replace(
        comparison(("sst2",), ("head",), (0,)), left_out={"mrpc": "no dev.tsv"}
    )
    sync(Tracker(None, out), records)
    kinds = by_kind(out)
    assert kinds["comparison"][0].data.tags["left_out"] == "mrpc: no dev.tsv"
    assert all("left_out" not in run.data.tags for run in kinds["cell"])
