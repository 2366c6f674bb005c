"""`tunebench disagreements`: texts while the data are there, names where they are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tunebench.__main__ import main
from tunebench.config import DataSettings, Experiment
from tunebench.data.load import load_task
from tunebench.data.tasks import TaskData
from tunebench.records import Comparison
from tunebench.store.store import Plan, PlannedCell, Store

from tests.records import comparison

METHODS = ("lora", "head", "prompt")


def stored(out: Path, data: TaskData, settings: dict[str, Any]) -> Comparison:
    """A comparison of three methods on some data: only lora is right on row 3, head wrong on 5."""
    records = comparison((data.task.name,), METHODS, (0,))
    names = [data.task.labels[int(label)] for label in data.test.labels]
    other = dict(zip(data.task.labels, reversed(data.task.labels), strict=True))
    store, rows = Store(out), []
    for row in records.results:
        row = replace(row, data_digest=data.digest, adapter="", predictions=f"{row.cell}.parquet")
        answers = list(names)
        if row.method != "lora":
            answers[3] = other[names[3]]
        if row.method == "head":
            answers[5] = other[names[5]]
        columns = {**data.test.origin(), "label": names, "prediction": answers}
        out.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), out / row.predictions)
        store.put_result(row)
        rows.append(row)
    plan = Plan(
        records.id, settings, records.tasks, METHODS, (0,), 2, {data.task.name: "made-up"}, {},
        tuple(PlannedCell(r.cell, r.study, r.task, r.method, r.seed) for r in rows), (), (),
        records.command, records.created,
    )  # fmt: skip
    store.put_plan(plan)
    return replace(records, results=tuple(rows))


@pytest.fixture
def pocket(tmp_path: Path) -> tuple[Path, TaskData]:
    data = load_task("sentiment", DataSettings(source="pocket"))
    out = tmp_path / "runs"
    stored(out, data, {"tasks": ["sentiment"], "data": {"source": "pocket", "text": []}})
    return out, data


def test_texts_of_the_pocket_pack_are_made_again(
    pocket: tuple[Path, TaskData], capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = pocket
    assert main(["disagreements", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    flat = " ".join(printed.out.split())
    for row, who in ((3, "only lora is right"), (5, "only head is wrong")):
        label = data.task.labels[int(data.test.labels[row])]
        text = " ".join(data.test.texts[row][0].split())
        assert f"{data.test.ids[row]}: {label}; {who}" in flat
        assert f"{text}" in flat
    assert " ".join(data.test.texts[4][0].split()) not in flat
    assert printed.err == ""


def test_two_methods_and_a_count_choose(
    pocket: tuple[Path, TaskData], capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["disagreements", "sentiment", "--out", str(pocket[0]), "--count=1"]
    assert main([*line, "--methods", "head, lora"]) == 0
    out = capsys.readouterr().out
    assert "only lora is right" in out
    assert "prompt" not in out
    assert "On 2 of 500 test examples one method stands against the rest" in out
    assert ", of which one is named." in out


def own_file(folder: Path) -> tuple[Path, TaskData]:
    """A user's own file, and its rows."""
    path = folder / "mine.tsv"
    rows = [f"u{n}\tquestion number {n}\t{'ab'[n % 2]}" for n in range(60)]
    path.write_text("\n".join(["id\ttext\tlabel", *rows]) + "\n")
    return path, load_task(str(path))


def test_a_file_s_texts_are_shown_with_their_lines_while_it_is_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = own_file(tmp_path)
    out = tmp_path / "runs"
    stored(out, data, {"tasks": [str(path)], "data": {}})
    assert main(["disagreements", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    name = f"line {data.test.lines[3]}: "
    assert name in printed.out
    assert data.test.texts[3][0] in printed.out

    path.write_text(path.read_text().replace("number 7", "number seven"))
    assert main(["disagreements", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert name in printed.out
    assert data.test.texts[3][0] not in printed.out
    assert "no texts: the data that are read now are not those of the comparison" in printed.err

    path.unlink()
    assert main(["disagreements", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert name in printed.out
    assert "no texts: " in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("sentimental", "did you mean 'sentiment'?"),
        ("sentiment rte", "takes one task, but got: sentiment, rte"),
        ("--methods lora,lroa", "did you mean 'lora'?"),
        ("--methods lora", "two at least can disagree, but got only 'lora'"),
        ("--methods.lora.rank=3", "unknown flag '--methods.lora.rank'"),
        ("--count 0", "--count: must be a whole number >= 1, but got '0'"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    line: str, hint: str, pocket: tuple[Path, TaskData], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["disagreements", *line.split(), "--out", str(pocket[0])]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert hint in printed.err


def test_a_folder_without_two_complete_methods_says_so(
    pocket: tuple[Path, TaskData], capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = pocket
    for path in (out / "cells").glob("*head*"):
        path.unlink()
    line = ["disagreements", "--out", str(out), "--methods", "lora,head"]
    assert main(line) == 2
    assert "two complete methods at least can disagree, but complete: lora" in (
        capsys.readouterr().err
    )


def test_several_tasks_want_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs"
    records = comparison()
    plan = Plan(
        records.id, {}, records.tasks, records.methods, (0,), 2, {}, {}, (), (), (),
        records.command, records.created,
    )  # fmt: skip
    Store(out).put_plan(plan)
    assert main(["disagreements", "--out", str(out)]) == 2
    assert "the comparison has several tasks; name one: sst2, stsb" in capsys.readouterr().err
    assert main(["disagreements", "--out", str(tmp_path / "nowhere")]) == 2
    assert "no folder" in capsys.readouterr().err


def test_settings_that_are_recorded_and_make_no_sense_leave_the_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_task("sentiment", DataSettings(source="pocket"))
    out = tmp_path / "runs"
    stored(out, data, {"tasks": list(Experiment().tasks), "data": {"source": 7}})
    assert main(["disagreements", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "only lora is right" in printed.out
    assert "no texts: data.source: must be text" in printed.err


def test_json_has_counts_examples_and_their_texts(
    pocket: tuple[Path, TaskData], capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = pocket
    assert main(["disagreements", "--json", "--out", str(out)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["seeds"] == dict.fromkeys(METHODS, 1)
    counts = {(one["right"], one["wrong"]): one["examples"] for one in shown["counts"]}
    assert (counts["lora", "head"], counts["lora", "prompt"], counts["head", "lora"]) == (2, 1, 0)
    first = next(one for one in shown["chosen"] if one["place"] == 3)
    assert (first["method"], first["right"]) == ("lora", True)
    assert list(first["texts"].values()) == list(data.test.texts[3])
