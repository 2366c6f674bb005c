"""`tunebench claims`: what is printed, what is run first, and what is answered to mistakes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tunebench.__main__ import main
from tunebench.analysis.claims import known
from tunebench.store.store import Store

from tests.records import comparison
from tests.study.test_claims import put


@pytest.fixture
def out(tmp_path: Path) -> Path:
    put(Store(tmp_path), 1, ("p_tuning", 0.9))
    return tmp_path


def test_every_claim_is_listed_with_what_it_needs(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claims", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    starts = [line.split(" ")[0] for line in shown.splitlines() if line[:1].strip()]
    assert [name for name in starts if name in {claim.name for claim in known()}] == [
        claim.name for claim in known()
    ]
    assert "undecided: neither shown nor ruled out" in shown


def test_claims_that_are_named_come_alone_and_as_json(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claims", "C3", "prompt", "--json", "--out", str(out)]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["claim"] for one in listed] == ["C3", "prompt"]
    assert listed[0]["finding"] == "not tested"
    assert listed[0]["reason"].startswith("It needs full, and a method")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("claims C99", "no claim 'C99'"),
        ("claims --data pocket", "--data: goes with --experiment"),
        ("claims --out nowhere", "no folder 'nowhere'"),
        ("claims --experiment nowhere.yaml", "no experiment file 'nowhere.yaml'"),
    ],
)
def test_mistakes_are_answered_in_one_line(
    typed: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    error = capsys.readouterr().err
    assert message.split("'")[0] in error or "C99" in error
    assert error.count("\n") == 1


def test_experiments_of_two_folders_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.yaml"
    path.write_text("- {tasks: [rte], out: here}\n- {tasks: [rte], out: there}\n")
    assert main(["claims", "--experiment", str(path)]) == 2
    assert "must have one folder `out`, but got here, there" in capsys.readouterr().err
    path.write_text("[]\n")
    assert main(["claims", "--experiment", str(path)]) == 2
    assert "there is no experiment in this list" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "code"), [("complete", 0), ("error", 1)])
def test_every_experiment_of_the_list_is_run_with_the_flags_that_were_typed(
    out: Path, status: Any, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def compare(experiment: Any, **named: Any) -> Any:
        asked.append(experiment)
        made = comparison()
        return replace(made, results=tuple(replace(r, status=status) for r in made.results))

    def rebuild(folder: Path, uri: str | None, **named: Any) -> None:
        asked.append(folder)

    for module, name, function in (
        ("tunebench.study.compare", "compare", compare),
        ("tunebench.study.publish", "rebuild", rebuild),
    ):
        room = ModuleType(module)
        setattr(room, name, function)
        monkeypatch.setitem(sys.modules, module, room)
    path = out / "list.yaml"
    path.write_text(
        "- {tasks: [sentiment], methods: {lora: {}}}\n"
        "- {tasks: [sentiment], methods: {prefix: {length: 5}}}\n"
    )
    line = ["claims", "C1", "--experiment", str(path), "--data=pocket", f"--out={out}"]
    assert main(line) == code
    first, second, rebuilt = asked
    assert [dict(one.methods) for one in (first, second)] == [
        {"lora": {}},
        {"prefix": {"length": 5}},
    ]
    assert {one.data.source for one in (first, second)} == {"pocket"}
    assert {one.tasks for one in (first, second)} == {("sentiment",)}
    assert rebuilt == out
