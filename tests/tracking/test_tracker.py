"""The runs in MLflow mirror the records: each is written once, and what is not so is found."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import analyse
from tunebench.tracking import Tracker
from tunebench.tracking import writer as writing

from tests.records import comparison
from tests.tracking.mirrored import PARENT, by_kind, content, runs_of, so_far, sync

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that will go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


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
