"""A finished comparison's cells trained again: nothing is overwritten, and what moved is named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tunebench.__main__ import main
from tunebench.config import Experiment
from tunebench.errors import UnknownName, UserError
from tunebench.methods import get_method
from tunebench.store.store import Store
from tunebench.study import attempt, cell, doctor, publish, serving
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.drift import drift
from tunebench.training import environment as environments

from tests import small, steady
from tests.study.conftest import NoTracker


@pytest.fixture(autouse=True)
def without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (publish, doctor):
        monkeypatch.setattr(module, "Tracker", NoTracker)


@pytest.fixture(scope="module")
def finished(
    checkpoint: Path, databases: Path, tmp_path_factory: pytest.TempPathFactory
) -> Experiment:
    """A comparison of two methods that is complete."""
    out = tmp_path_factory.mktemp("finished") / "runs"
    shutil.copytree(databases, out)
    experiment = small.experiment(checkpoint, out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "Tracker", NoTracker)
        patch.setattr(serving, "latency", steady.latency)
        compare(experiment)
    return experiment


@pytest.fixture
def runs(finished: Experiment, tmp_path: Path) -> Path:
    """A copy of its folder."""
    return Path(shutil.copytree(finished.out, tmp_path / "runs"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but what `drift` may write, and what a database or a lock leaves."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder).as_posix() for path in files}
    return {
        name: path.read_bytes()
        for path, name in names.items()
        if not name.startswith(("drift/", ".lock")) and ".db" not in name
    }


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on it is another environment, in which every answer is the other one."""
    inner, predict = environments.environment, cell.predict

    def environment(*arguments: Any) -> dict[str, str]:
        return {**inner(*arguments), "torch": "0.0.1"}

    monkeypatch.setattr(environments, "environment", environment)
    monkeypatch.setattr(attempt, "environment", environment)
    monkeypatch.setattr(cell, "predict", lambda *arguments: 1 - predict(*arguments))


def test_every_record_has_its_environment(runs: Path) -> None:
    for path in (runs / "cells").glob("*.json"):
        row = Store(runs).result(path.stem)
        assert row is not None
        assert row.environment.items() >= row.origin.items()
        assert row.environment["threads"] == "1"
        assert {"python", "tunebench", "system", "instructions"} <= row.environment.keys()


def test_in_the_same_environment_nothing_drifts_and_nothing_is_overwritten(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(runs)
    assert main(["drift", "--out", str(runs)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "no drift: 2 cells run again, all predictions equal" in printed
    assert "the same environment, once more" in printed
    assert contents(runs) == before
    assert len([*runs.glob("drift/*/*.json")]) == len([*runs.glob("drift/*/*.parquet")]) == 2
    assert examine(runs) == []
    # What is there is not trained again.
    monkeypatch.setattr(cell, "fit", None)
    assert main(["drift", "--out", str(runs)]) == 0
    assert "no drift: 2 cells" in " ".join(capsys.readouterr().out.split())


def test_another_environment_stands_beside_the_table(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(runs)
    elsewhere(monkeypatch)
    assert main(["drift", "reviews", "--methods", "head", "--out", str(runs)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "→ 0.0.1" in printed
    assert "drift: one cell run again, 30 of 30 predictions changed" in printed
    assert "lora" not in printed.partition("what differs")[2]
    assert contents(runs) == before
    (kept,) = runs.glob("drift/*/*.json")
    (other,) = Store(runs).reruns(kept.parent.name)
    row = Store(runs).result(kept.parent.name)
    assert row is not None
    assert row.score is not None
    assert other.score == pytest.approx(1 - row.score)
    line = ["drift", "reviews", "--methods", "head", "--json", "--out", str(runs)]
    assert main(line) == 0
    (moved,) = json.loads(capsys.readouterr().out)
    assert (moved["method"], moved["changed"], moved["answers"]) == ("head", 30, 30)
    assert moved["difference"] == pytest.approx(1 - 2 * row.score)
    assert any("0.0.1" in change for change in moved["environment"])
    assert (other.adapter, row.environment == other.environment) == ("", False)
    assert examine(runs) == []


def test_a_compare_that_makes_records_again_keeps_the_earlier_ones(
    finished: Experiment, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, experiment = Store(runs), replace(finished, out=str(runs), methods={"head": {}})
    # Trials are kept, so that only the cell is made again.
    head = next(path.stem for path in (runs / "cells").glob("*head*"))
    row = store.result(head)
    assert row is not None
    older = {**row.origin, "torch": "0.0.1"}
    store.put_result(replace(row, origin=older, environment={**row.environment, **older}))
    compare(experiment)
    now = store.result(head)
    assert now is not None
    assert now.origin == row.origin
    (kept,) = store.reruns(head)
    assert (kept.origin, kept.score, kept.adapter) == (older, row.score, "")
    # It is the drift: nothing has to be trained for it.
    monkeypatch.setattr(cell, "fit", None)
    ((change, (one,)),) = drift(runs, methods=["head"]).groups.items()
    assert [text for text in change if text.startswith("torch 0.0.1 → ")]
    assert (one.then, one.now, one.changed) == (row.score, now.score, 0)


def test_a_cell_that_fails_now_is_named_and_leaves_no_record(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("made up")

    monkeypatch.setattr(cell, "fit", fail)
    assert main(["drift", "--methods", "head", "--out", str(runs)]) == 1
    assert "made up" in capsys.readouterr().out
    assert not (runs / "drift").exists()


def test_other_data_are_refused(runs: Path, checkpoint: Path) -> None:
    path = checkpoint / "reviews.tsv"
    text = path.read_text()
    try:
        path.write_text(text + "one more\tpositive\n")
        with pytest.raises(UserError, match="the data that are read now are not those of the com"):
            drift(runs)
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["sst2"], "unknown task of the comparison 'sst2'"),
        (["--methods", "vera"], "unknown method of the comparison 'vera'"),
        (["--seeds", "7"], "unknown seed of the comparison '7'"),
        (["--seeds", "-1"], "--seeds: must be >= 0, but got -1"),
        (["--seeds", "a"], "--seeds: must be a whole number, but got 'a'"),
        (["--seeds", ","], "--seeds: must name one at least"),
        (["--methods", " , "], "--methods: must name one at least"),
        (["--train.threads", "-1"], "train.threads: must be >= 0, but got -1"),
        (["--train.threads", "two"], "train.threads: must be a whole number, but got 'two'"),
        (["--train.accelerator", "abacus"], "train.accelerator: must be one of"),
        (["--methods.lora.rank", "4"], "unknown flag '--methods.lora.rank'"),
        (["--count", "4"], "unknown flag '--count'"),
    ],
)
def test_a_mistake_is_one_line(
    runs: Path, typed: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", *typed, "--out", str(runs)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("tunebench: ")
    assert message in line


def test_no_folder_and_no_comparison_are_mistakes_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", "--out", str(tmp_path / "nowhere")]) == 2
    assert "no folder" in capsys.readouterr().err
    assert main(["drift", "--out", str(tmp_path)]) == 2
    assert "no comparison in" in capsys.readouterr().err


def test_a_comparison_of_failures_has_nothing_to_run_again(runs: Path) -> None:
    store = Store(runs)
    for path in (runs / "cells").glob("*.json"):
        row = store.result(path.stem)
        assert row is not None
        store.put_result(replace(row, status="error", adapter="", predictions=""))
    with pytest.raises(UserError, match="none of these cells is complete"):
        drift(runs)


def test_a_method_that_is_gone_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunebench.study.drift.names", lambda: ("lora",))
    with pytest.raises(UnknownName, match="unknown method 'head'"):
        drift(runs)
    assert get_method("head")
