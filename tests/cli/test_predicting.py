"""`tunebench predict`: runs and files, typed texts and tables, answers and mistakes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tunebench.__main__ import main
from tunebench.cli.predicting import Texts, as_csv, as_jsonl
from tunebench.config import SearchSettings
from tunebench.records import Study
from tunebench.store.runs import find_run
from tunebench.store.store import Plan, PlannedCell, Store
from tunebench.study import serving
from tunebench.study.once import run_once
from tunebench.training.predictor import Prediction

from tests import small


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two methods with equal scores in one comparison of one task; its rows stand beside it."""
    from tunebench import get_method

    from tests.training.test_predictor import _not_timed

    root = tmp_path_factory.mktemp("predicting")
    folder, out = small.make_folder(root / "backbone"), root / "runs"
    experiment = replace(
        small.experiment(folder, out), search=SearchSettings(trials=1, trial_epochs=1, epochs=1)
    )
    store, cells = Store(out), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "latency", _not_timed)
        for name in ("head", "lora"):
            result = run_once(
                experiment.tasks[0], get_method(name)(), experiment=experiment, out=out
            )
            store.put_result(replace(result, score=0.75))
            cells.append(PlannedCell(result.cell, "once", result.task, name, 0))
    settings: Mapping[str, Any] = {
        "backbone": {"name": str(folder), "layers": None, "pooling": "mean"},
        "data": {"max_length": 32, "text": [], "label_words": []},
    }
    plan = Plan(
        "plan-1", settings, ("reviews",), ("head", "lora"), (0,), 1, {}, {}, tuple(cells), (), (),
        "tunebench compare", "2026-01-01",
    )  # fmt: skip
    store.put_plan(plan)
    with (out / "results.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["mlflow_run_id", "cell"], ["a1b2", cells[1].cell]])
    return out


def test_best_on_the_test_file_gives_the_stored_predictions(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = runs.parent / "backbone" / "reviews-test.tsv"
    assert main(["predict", "best", "--out", str(runs), "--file", str(file), "--json"]) == 0
    printed = capsys.readouterr()
    assert "equal leaders, of which the first is taken: head, lora" in printed.err
    answers = json.loads(printed.out)
    stored = pq.read_table(runs / find_run(runs, "best").result.predictions).to_pylist()
    assert [answer["label"] for answer in answers] == [row["prediction"] for row in stored]
    for answer, row in zip(answers, stored, strict=True):
        assert answer["probabilities"]["positive"] == pytest.approx(
            row["probability_positive"], abs=1e-6
        )


@pytest.mark.parametrize(
    ("trials", "note_begins"),
    [
        ({"head": 1, "lora": 12}, "budgets of tuning were not equal (head one trial, lora 12 tr"),
        ({"head": 2, "lora": 2}, ""),
        ({"head": None, "lora": None}, ""),
        ({"lora": 12}, ""),
    ],
)
def test_best_over_unequal_budgets_says_that_it_ranks_nothing(
    runs: Path, trials: dict[str, int | None], note_begins: str
) -> None:
    store = Store(runs)
    plan = store.plan()
    assert plan is not None
    studies = tuple(Study(f"of-{m}", "reviews", m, trials=n) for m, n in trials.items())
    store.put_plan(replace(plan, studies=studies))
    notes = find_run(runs, "best").notes
    store.put_plan(plan)
    assert [note.startswith(note_begins) for note in notes if "budgets" in note] == [True] * bool(
        note_begins
    )
    assert all("\n" not in note for note in notes)


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl"])
def test_answers_are_written_as_the_file_s_name_says(
    runs: Path, tmp_path: Path, ending: str
) -> None:
    source, output = tmp_path / "new.csv", tmp_path / f"answers.{ending}"
    source.write_text('question\n"fine, and long"\ndull\n')
    line = ["predict", "a1b2", "--out", str(runs), "--file", str(source), "--text", "question"]
    assert main([*line, "--output", str(output)]) == 0
    written = output.read_text("utf-8")
    if ending == "jsonl":
        rows = [json.loads(text) for text in written.splitlines()]
        assert set(rows[0]) == {"question", "label", "probabilities"}
    else:
        rows = list(
            csv.DictReader(written.splitlines(), delimiter="," if ending == "csv" else "\t")
        )
        assert set(rows[0]) == {
            "question", "prediction", "probability_negative", "probability_positive",
        }  # fmt: skip
    assert [row["question"] for row in rows] == ["fine, and long", "dull"]


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl"])
def test_what_is_read_is_not_written_over(
    ending: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {".tsv": "text\na\n", ".csv": "text\na\n", ".jsonl": '{"text": "a"}\n'}
    file = tmp_path / f"own{ending}"
    file.write_text(names[ending])
    (tmp_path / f"link{ending}").symlink_to(file)
    for output in (file, tmp_path / f"link{ending}"):
        arguments = ["best", f"--out={runs}", f"--file={file}", f"--output={output}"]
        assert main(["predict", *arguments]) == 2
        assert "is what is read here, and would be written over" in capsys.readouterr().err
        assert file.read_text() == names[ending]


def test_a_text_column_with_the_name_of_an_answer_s_stays_beside_it() -> None:
    texts = Texts(("prediction", "label"), [("a film", "b film")])
    answers = [Prediction("yes", {"yes": 0.75, "no": 0.25})]
    (row,) = csv.DictReader(io.StringIO(as_csv(texts, answers)))
    assert row["prediction"] == "yes"
    assert row["prediction (text)"] == "a film"
    assert row["label"] == "b film"
    one = json.loads(as_jsonl(texts, answers))
    assert one["label"] == "yes"
    assert one["label (text)"] == "b film"
    assert one["prediction"] == "a film"


def test_two_texts_of_one_column_are_two_columns() -> None:
    texts = Texts(("text", "text"), [("a", "b")])
    (row,) = csv.DictReader(io.StringIO(as_csv(texts, [Prediction("yes", {"yes": 1.0})])))
    assert (row["text"], row["text (text)"]) == ("a", "b")


def test_typed_texts_are_answered_one_a_line(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = find_run(runs, "a1b2").result.cell
    assert main(["predict", cell, "a fine film", "dull", "--out", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t")[:2] == ["text", "prediction"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["a fine film", "dull"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "predict takes a run or an adapter file"),
        (["best"], "nothing to predict"),
        (["best", "a", "--file", "new.csv"], "texts or --file, not both"),
        (["bets", "a"], "unknown run in"),
        (["best", "a", "--task", "sst2"], "unknown task of the last comparison 'sst2'"),
        (["best", " "], "row 1: the text is empty"),
        (["best", "--file", "nowhere.csv"], "nowhere.csv: no such file"),
        (["best", "--file", "new.csv", "--text", "body"], "no column 'body'"),
        (["best", "--file", "empty.csv"], "empty.csv: a header and no rows"),
        (["best", "--file", "blank.csv"], "column 'text': the text is empty"),
        (["best", "a", "--output", "answers.xlsx"], "--output: the name must end in"),
        (["best", "a", "--backbone", "/nowhere/at/all"], "no such folder or file"),
        (["best", "a", "--labels", "x,y"], "labels: "),
        (["damaged.safetensors", "a"], "is not a readable safetensors file"),
    ],
)
def test_a_mistake_is_one_line_before_torch(
    runs: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "new.csv").write_text("question\nfine\n")
    (tmp_path / "empty.csv").write_text("text\n")
    (tmp_path / "blank.csv").write_text('text,id\n" ",1\n')
    (tmp_path / "damaged.safetensors").write_bytes(b"no tensors here")
    program = (
        "import sys; from tunebench.__main__ import main; code = main(sys.argv[1:]); "
        "assert 'torch' not in sys.modules, 'torch'; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", *arguments, "--out", str(runs)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_line_of_standard_input_is_a_text_whatever_marks_stand_in_it(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a fine\u2028film", "dull\x85and long", "a film"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\r\n".join(texts) + "\r\n\n"))
    assert main(["predict", "best", "--out", str(runs), "--file", "-", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert main(["predict", "best", "--out", str(runs), "--json", *texts]) == 0
    assert json.loads(capsys.readouterr().out) == answers
    assert len(answers) == 3
