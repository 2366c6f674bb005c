"""`tunebench ledger`: the table, the JSON list, and what is answered to a wrong name."""

from __future__ import annotations

import json

import pytest
from tunebench.__main__ import main
from tunebench.analysis.ledger import figures, select


def test_every_figure_is_a_line_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger"]) == 0
    out = capsys.readouterr().out
    for number, source in enumerate(dict.fromkeys(one.source for one in figures()), 1):
        count = sum(one.source == source for one in figures())
        assert out.count(f"[{number}]") == count + 1
        assert source.authors in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_tasks_and_methods_choose(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "rte", "--methods", "lora, prompt"]) == 0
    tables, _, _ = capsys.readouterr().out.partition("\n\n[1]")
    lines = tables.splitlines()
    assert lines[0] == "rte, accuracy"
    assert {line.split()[0] for line in lines[2:] if line[2:3].strip()} == {"lora", "prompt"}
    (line,) = (line for line in lines if "0.866 ± 0.007" in line)
    assert "300 k" in line
    assert "verified" in line


def test_json_is_one_list_with_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "rte", "--methods=lora", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(one["score"], one["read"], one["source"]["table"]) for one in printed] == [
        (one.score, one.read, one.source.table) for one in select(["rte"], ["lora"])
    ]
    assert printed[0]["start"] == "mnli"
    assert printed[0]["tuned_on_split"] is True


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ledger rtee", "did you mean 'rte'?"),
        ("ledger rte --methods lroa", "did you mean 'lora'?"),
        ("ledger rte --methods mam", "no figure of mam on rte (known there: adapter"),
        ("ledger --methods.lora.rank=3", "unknown flag '--methods.lora.rank'"),
        ("ledger --method lora", "did you mean '--methods'?"),
    ],
)
def test_a_wrong_name_is_answered_in_one_line(
    line: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert hint in err
