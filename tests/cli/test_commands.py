"""The commands against rooms that only record how they were called."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tunebench.__main__ import main
from tunebench.analysis import analyse, read_from
from tunebench.records import Comparison, Study, Trial
from tunebench.report.json import text
from tunebench.study.tune import Tuning

from tests.records import comparison

TRIALS = (
    Trial("s", 0, "complete", {}, 0.5, 1.25),
    Trial("s", 1, "complete", {"lr": 0.00123456, "rank": 4}, 0.75, 2.0),
    Trial("s", 2, "diverged", {"lr": 1.0, "rank": 8}, None, 0.5, "loss is not finite"),
)


def tuning(trials: tuple[Trial, ...], importances: dict[str, float]) -> Tuning:
    """What `tune` gives for one study with these trials."""
    study = Study("s", "rte", "lora", validation_examples=100, importances=importances)
    whole = replace(comparison(), results=(), studies=(study,), trials=trials)
    return Tuning(whole)


class Room(ModuleType):
    """A module whose one function records its call and gives an answer."""

    def __init__(self, name: str, **answers: Any) -> None:
        super().__init__(name)
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        for function, answer in answers.items():
            setattr(self, function, self._recording(answer))

    def _recording(self, answer: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append((arguments, named))
            return answer

        return call


def put(monkeypatch: pytest.MonkeyPatch, name: str, **answers: Any) -> Room:
    room = Room(name, **answers)
    monkeypatch.setitem(sys.modules, name, room)
    return room


@pytest.fixture
def finished() -> Comparison:
    whole = comparison()
    return replace(whole, results=tuple(r for r in whole.results if r.status == "complete"))


def test_compare_hands_over_the_experiment_and_the_line(
    tmp_path: Path,
    finished: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    room = put(monkeypatch, "tunebench.study.compare", compare=finished)
    out = tmp_path / "my runs"
    assert main(["compare", "sst2", "--fail-fast", "--out", str(out)]) == 0
    (experiment,), named = room.calls[0]
    assert (experiment.tasks, experiment.out) == (("sst2",), str(out))
    assert named["fail_fast"] is True
    assert named["command"] == f"tunebench compare sst2 --fail-fast --out '{out}'"
    assert out.is_dir()
    assert finished.tasks[0] in capsys.readouterr().out


@pytest.mark.parametrize("status", ["diverged", "error", "missing"])
def test_a_cell_that_did_not_complete_makes_the_exit_code_1(
    status: Any, tmp_path: Path, finished: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = replace(finished.results[0], status=status, reason="why", score=None, accuracy=None)
    answer = replace(finished, results=(failed, *finished.results[1:]))
    put(monkeypatch, "tunebench.study.compare", compare=answer)
    assert main(["compare", "sst2", "--out", str(tmp_path)]) == 1


def test_tune_prints_the_best_trial_and_what_mattered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = tuning(TRIALS, {"rank": 0.2, "lr": 0.8})
    room = put(monkeypatch, "tunebench.study.tune", tune=answer)
    line = ["tune", "rte", "--methods=lora", "--trials", "3", "--out", str(tmp_path)]
    assert main(line) == 0
    assert room.calls[0][1]["trials"] == 3
    assert "lora" in room.calls[0][0][0].methods
    printed = capsys.readouterr().out
    assert "0.750" in printed
    assert "Importance of settings: rank 0.20, lr 0.80." in printed


def test_tune_without_a_complete_trial_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, "tunebench.study.tune", tune=tuning(TRIALS[2:], {}))
    assert main(["tune", "rte", "--methods=lora", "--out", str(tmp_path)]) == 1


def test_report_shows_what_was_rebuilt(
    tmp_path: Path, finished: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = put(monkeypatch, "tunebench.study.publish", rebuild=analyse(finished))
    assert main(["report", "--out", str(tmp_path)]) == 0
    assert room.calls[0][0] == (tmp_path, None)


@pytest.mark.parametrize(("lines", "code"), [([], 0), (["store: a cell is missing"], 1)])
def test_doctor_s_findings_decide_its_exit_code(
    lines: list[str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    room = put(monkeypatch, "tunebench.study.doctor", examine=lines)
    places = ["--tracking-uri=http://x", "--optuna-storage=postgresql://y"]
    assert main(["doctor", "--out", str(tmp_path), *places]) == code
    assert room.calls[0][0] == (tmp_path, "http://x", "postgresql://y")
    assert (lines or ["agree"])[0] in capsys.readouterr().out


def test_json_is_all_that_stands_on_standard_output(
    tmp_path: Path,
    finished: Comparison,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is printed is analysis.json; the progress goes to standard error."""

    def run(answer: Any) -> Any:
        def call(*arguments: Any, progress: Any, **named: Any) -> Any:
            progress.note("something happens")
            return answer

        return call

    searched = tuning(TRIALS, {})
    rooms = {
        "tunebench.study.compare": {"compare": finished},
        "tunebench.study.tune": {"tune": searched},
        "tunebench.study.publish": {"rebuild": analyse(finished)},
    }
    for name, answers in rooms.items():
        room = put(monkeypatch, name)
        for function, answer in answers.items():
            setattr(room, function, run(answer))
    lines = {
        "compare sst2": analyse(finished, read_from(tmp_path)),
        "tune rte --methods=lora": analyse(searched.comparison),
        "report": analyse(finished),
    }
    for line, shown in lines.items():
        assert main([*line.split(), "--json", "--out", str(tmp_path)]) == 0
        printed = capsys.readouterr()
        assert json.loads(printed.out) == json.loads(text(shown))
        assert "something happens" in printed.err


def test_doctor_and_the_plan_are_json_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, "tunebench.study.doctor", examine=["store: a cell is missing"])
    assert main(["doctor", "--json", "--out", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().out) == ["store: a cell is missing"]
    line = ["compare", "sst2", "--methods=head,lora", "--seeds=0,1,2", "--data=pocket"]
    assert main([*line, "--dry-run", "--json", "--out", str(tmp_path)]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert (planned["methods"], planned["seeds"]) == (["head", "lora"], [0, 1, 2])
    assert (planned["cells"], planned["trainings"]) == ([6, 6], 10)
    assert planned["experiment"]["data"]["source"] == "pocket"


def test_ui_listens_where_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room = put(monkeypatch, "tunebench.tracking", serve=None)
    room.TrackingError = RuntimeError  # type: ignore[attr-defined]
    room.chosen = lambda uri: uri  # type: ignore[attr-defined]
    assert main(["ui", "--out", str(tmp_path), "--port=5005"]) == 0
    assert room.calls == [((None, tmp_path), {"host": "127.0.0.1", "port": 5005})]


def test_ui_says_in_one_line_why_the_server_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    room = put(monkeypatch, "tunebench.tracking")
    room.TrackingError = RuntimeError  # type: ignore[attr-defined]
    room.chosen = lambda uri: uri  # type: ignore[attr-defined]

    def serve(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("it does not start")

    room.serve = serve  # type: ignore[attr-defined]
    assert main(["ui"]) == 1
    assert capsys.readouterr().err == "tunebench: it does not start\n"
