"""`compare` on a user's own file, the file deleted, then `predict` from elsewhere: equal answers.

The oracle is the file of predictions that the comparison wrote on its test rows. Both commands are
called as they are typed, and the texts that `predict` reads come from a copy of the test file.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tunebench import load_predictor, load_task
from tunebench.__main__ import main
from tunebench.config import DataSettings
from tunebench.records import Result
from tunebench.store.store import Store

from tests import small
from tests.study.conftest import DATABASES

TRAIN_ROWS, TEST_ROWS = 40, 24
TOLERANCE = 1e-6
TEMPLATE = "review: {body} [P] sentiment:"
BUILT_IN = "{body} It was"
"""A template for real checkpoints, whose label words are single tokens there."""
WORDS = ("--data.label_words=negative,positive",)

Predict = Callable[..., list[dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class Compared:
    """A comparison that is over, with nothing left of its data but a copy of the test file."""

    out: Path
    copy: Path
    rows: Sequence[Mapping[str, str]]
    """The test rows as they stand in the copy."""

    def results(self) -> list[Result]:
        """The rows of its table, every one of them complete."""
        store = Store(self.out)
        plan = store.plan()
        assert plan is not None
        results = [store.result(planned.cell) for planned in plan.cells]
        whole = [result for result in results if result is not None]
        assert len(whole) == len(plan.cells)
        assert {result.status for result in whole} == {"complete"}
        return whole

    def stored(self, result: Result) -> list[dict[str, Any]]:
        """The predictions that the comparison wrote, in the order of the test rows."""
        table: list[dict[str, Any]] = pq.read_table(self.out / result.predictions).to_pylist()
        return table


def write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def reviews(count: int, split: str) -> list[dict[str, str]]:
    """Pocket reviews, some of them with what a CSV file must quote."""
    data = load_task("sentiment", DataSettings(source="pocket"))
    part = data.train if split == "train" else data.test
    odd = ("{}", '"{}", they say', "{}\nand on a second line", "  {} – été, 夏 ", "{};\t{}")
    return [
        {
            "nr": f"{split}-{n}",
            "body": odd[n % len(odd)].replace("{}", part.texts[n][0]),
            "mood": data.task.labels[int(part.labels[n])],
        }
        for n in range(count)
    ]


def pairs(count: int, split: str) -> list[dict[str, str]]:
    """Two texts and a class for each row."""
    single = reviews(count + 1, split)
    return [
        {
            "first": one["body"],
            "second": other["body"],
            "same": "yes" if one["mood"] == other["mood"] else "no",
        }
        for one, other in itertools.pairwise(single)
    ]


def values(count: int, split: str) -> list[dict[str, str]]:
    """Two texts and a number for each row."""
    return [
        {"first": row["first"], "second": row["second"], "alike": f"{n % 7 / 2:.2f}"}
        for n, row in enumerate(pairs(count, split))
    ]


def run_comparison(
    folder: Path,
    out: Path,
    make: Callable[[int, str], list[dict[str, str]]],
    text: str,
    label: str,
    *flags: str,
) -> Compared:
    """Type `compare` in the folder of the data, then delete that folder, and go elsewhere."""
    folder.mkdir()
    train, test = make(TRAIN_ROWS, "train"), make(TEST_ROWS, "test")
    write_table(folder / "questions.csv", train)
    write_table(folder / "questions-test.csv", test)
    elsewhere = folder.parent / "quite" / "elsewhere"
    elsewhere.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copy(folder / "questions-test.csv", elsewhere / "test-copy.csv"))
    os.chdir(folder)
    line = [
        *("compare", "questions.csv", "--test", "questions-test.csv", "--text", text),
        *("--label", label, "--out", os.path.relpath(out), "--data.max_length", "48"),
        *("--search.trials=1", "--search.trial_epochs=1", "--search.epochs=1"),
        *("--train.threads=1", "--train.accelerator=cpu", "--train.batch_size=8"),
        *flags,
    ]
    assert main(line) == 0
    os.chdir(elsewhere)
    shutil.rmtree(folder)
    return Compared(out, copy, test)


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Types a line that ends well; what it printed."""

    def typed(*line: str) -> str:
        capsys.readouterr()
        assert main(list(line)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return typed


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test changes to, the next one starts where this one did."""
    monkeypatch.chdir(tmp_path)


def assert_stored(
    answers: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]
) -> None:
    """Labels are equal, probabilities and numbers within the tolerance."""
    assert len(answers) == len(stored) == TEST_ROWS
    for answer, row in zip(answers, stored, strict=True):
        named = {key.removeprefix("probability_"): p for key, p in row.items() if "probab" in key}
        if named:
            assert answer["label"] == row["prediction"]
            assert answer["probabilities"] == pytest.approx(named, abs=TOLERANCE, rel=0)
        else:
            assert answer.keys() == {"label"}
            assert answer["label"] == pytest.approx(row["prediction"], abs=TOLERANCE, rel=1e-6)


def assert_every_method(compared: Compared, typed: Callable[..., str], methods: int) -> None:
    """Each cell by its name, and the leader as `best`, answer the copy as the comparison did."""
    results = compared.results()
    assert len(results) == methods
    line = ("--out", str(compared.out), "--file", str(compared.copy), "--json")
    for result in results:
        stored = compared.stored(result)
        assert_stored(json.loads(typed("predict", result.cell, *line)), stored)
        shown = [row["prediction"] for row in stored]
        likely = [row.get("probability_positive", shown[n]) for n, row in enumerate(stored)]
        assert len(set(likely)) > TEST_ROWS // 2, f"{result.method} answers all rows alike"
    # What each method learned is in its answers: a file that is mixed up with another shows.
    different = {json.dumps(compared.stored(result)) for result in results}
    assert len(different) == len(results)
    top = max(round(result.score or 0.0, 3) for result in results)
    leader = next(result for result in results if round(result.score or 0.0, 3) == top)
    assert_stored(json.loads(typed("predict", "best", *line)), compared.stored(leader))


ONES = ("--methods", "lora,prefix,head")
CASES = {
    "encoder": (small.make_folder, ONES, 3),
    "decoder": (small.make_decoder, ONES, 3),
    "decoder, template": (
        small.make_decoder,
        ("--methods", "lora,prompt,head", f"--data.template={TEMPLATE}", *WORDS),
        3,
    ),
}
EVERYONE = {
    "encoder": (small.make_folder, ("--methods", "all"), 12),
    "decoder": (small.make_decoder, ("--methods", "all"), 11),
    "decoder, template": (
        small.make_decoder,
        ("--methods", "all", f"--data.template={TEMPLATE}", *WORDS),
        11,
    ),
}


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    ("make", "flags", "methods"),
    [
        *(pytest.param(*case, id=name) for name, case in CASES.items()),
        *(
            pytest.param(*case, id=f"{name}, all methods", marks=pytest.mark.slow)
            for name, case in EVERYONE.items()
        ),
    ],
)
def test_every_cell_answers_the_test_file_as_the_comparison_did(
    make: Callable[[Path], Path],
    flags: tuple[str, ...],
    methods: int,
    tmp_path: Path,
    out: Path,
    typed: Callable[..., str],
) -> None:
    backbone = make(tmp_path / "backbone")
    relative = os.path.relpath(backbone, tmp_path / "data")
    line = ("--backbone", relative, *flags)
    compared = run_comparison(tmp_path / "data", out, reviews, "body", "mood", *line)
    assert_every_method(compared, typed, methods)


@pytest.mark.slow
@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize(
    ("backbone", "methods", "template"),
    [
        ("minilm", 12, ()),
        ("smollm2", 11, ()),
        ("smollm2", 11, (f"--data.template={BUILT_IN}", "--data.label_words= bad, good")),
    ],
)
def test_every_method_on_a_real_backbone(
    backbone: str,
    methods: int,
    template: tuple[str, ...],
    tmp_path: Path,
    out: Path,
    typed: Callable[..., str],
) -> None:
    flags = ("--backbone", backbone, "--backbone.layers=2", "--methods=all", *template)
    compared = run_comparison(tmp_path / "data", out, reviews, "body", "mood", *flags)
    assert_every_method(compared, typed, methods)


@pytest.mark.usefixtures("records_only")
def test_a_number_is_answered_for_pairs_of_texts(
    tmp_path: Path, out: Path, checkpoint: Path, typed: Callable[..., str]
) -> None:
    flags = ("--backbone", str(checkpoint), "--methods=lora,head", "--data.kind=number")
    compared = run_comparison(tmp_path / "data", out, values, "first,second", "alike", *flags)
    for result in compared.results():
        stored = compared.stored(result)
        assert "probability_positive" not in stored[0]
        line = ("predict", result.cell, "--out", str(out), "--file", str(compared.copy))
        answers = json.loads(typed(*line, "--json"))
        assert_stored(answers, stored)
        assert len({answer["label"] for answer in answers}) > TEST_ROWS // 2
        table = list(csv.DictReader(io.StringIO(typed(*line)), delimiter="\t"))
        assert table[0].keys() == {"first", "second", "prediction"}
        assert [float(row["prediction"]) for row in table] == pytest.approx(
            [answer["label"] for answer in answers]
        )


@pytest.mark.usefixtures("records_only")
def test_pairs_come_from_a_table_from_standard_input_and_from_the_line(
    tmp_path: Path,
    out: Path,
    checkpoint: Path,
    typed: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = ("--backbone", str(checkpoint), "--methods=lora")
    compared = run_comparison(tmp_path / "data", out, pairs, "first,second", "same", *flags)
    (result,) = compared.results()
    stored = compared.stored(result)
    run = ("predict", "best", "--out", str(out), "--json")
    from_table = json.loads(typed(*run, "--file", str(compared.copy)))
    assert_stored(from_table, stored)
    renamed = compared.copy.with_name("renamed.jsonl")
    renamed.write_text(
        "".join(json.dumps({"b": r["second"], "a": r["first"]}) + "\n" for r in compared.rows)
    )
    assert json.loads(typed(*run, "--file", str(renamed), "--text", "a,b")) == from_table
    # A pair a line, a tab between: only texts without either can be written so.
    plain = [
        n for n, row in enumerate(compared.rows) if not {"\n", "\t"} & set("".join(row.values()))
    ]
    assert len(plain) > 3
    lines = "".join(f"{compared.rows[n]['first']}\t{compared.rows[n]['second']}\n" for n in plain)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    from_stdin = json.loads(typed(*run, "--file", "-"))
    words = [
        text for n in plain for text in (compared.rows[n]["first"], compared.rows[n]["second"])
    ]
    from_line = json.loads(typed(*run, *words))
    for answers in (from_stdin, from_line):
        assert [answer["label"] for answer in answers] == [stored[n]["prediction"] for n in plain]
        for answer, n in zip(answers, plain, strict=True):
            assert answer["probabilities"]["yes"] == pytest.approx(
                stored[n]["probability_yes"], abs=TOLERANCE
            )


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl"])
def test_a_file_of_answers_holds_texts_labels_and_probabilities(
    ending: str, tmp_path: Path, out: Path, checkpoint: Path, typed: Callable[..., str]
) -> None:
    flags = ("--backbone", str(checkpoint), "--methods=head")
    compared = run_comparison(tmp_path / "data", out, reviews, "body", "mood", *flags)
    stored = compared.stored(compared.results()[0])
    output = tmp_path / f"answers.{ending}"
    line = ("predict", "best", "--out", str(out), "--file", str(compared.copy))
    assert typed(*line, "--output", str(output)) == ""
    text = output.read_bytes().decode("utf-8")
    bodies = [row["body"] for row in compared.rows]
    if ending == "jsonl":
        rows = [json.loads(one) for one in text.split("\n")[:-1]]
        assert [row.pop("body") for row in rows] == bodies
        assert_stored(rows, stored)
        return
    # A CSV file keeps every text as it was; TSV is never quoted, and has blanks for tabs and lines.
    dialect: dict[str, Any] = {}
    if ending == "tsv":
        dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
        bodies = [body.replace("\t", " ").replace("\n", " ") for body in bodies]
    table = list(csv.DictReader(io.StringIO(text, newline=""), **dialect))
    assert [row["body"] for row in table] == bodies
    assert [row["prediction"] for row in table] == [row["prediction"] for row in stored]
    for row, expected in zip(table, stored, strict=True):
        for name in ("probability_negative", "probability_positive"):
            assert float(row[name]) == pytest.approx(expected[name], abs=TOLERANCE)


@pytest.fixture
def published(tmp_path: Path, databases: Path) -> Path:
    """An output folder with ready databases, whose comparison is published in MLflow."""
    out = tmp_path / "runs"
    out.mkdir()
    for file in DATABASES:
        (out / file).write_bytes((databases / file).read_bytes())
    return out


def test_a_run_of_mlflow_is_answered_exported_and_generated_from(
    published: Path, tmp_path: Path, typed: Callable[..., str]
) -> None:
    backbone = small.make_decoder(tmp_path / "backbone")
    relative = os.path.relpath(backbone, tmp_path / "data")
    flags = ("--backbone", relative, "--methods=head,lora")
    compared = run_comparison(tmp_path / "data", published, reviews, "body", "mood", *flags)
    lora = next(result for result in compared.results() if result.method == "lora")
    with (published / "results.csv").open(encoding="utf-8", newline="") as file:
        identities = {row["cell"]: row["mlflow_run_id"] for row in csv.DictReader(file)}
    out = ("--out", str(published))
    file_line = ("--file", str(compared.copy), "--json")
    names = (lora.cell, identities[lora.cell], str(published / lora.adapter))
    for name in names:
        assert_stored(json.loads(typed("predict", name, *out, *file_line)), compared.stored(lora))
    exported = []
    for n, name in enumerate(names):
        folder = tmp_path / f"exported-{n}"
        typed("export", name, "--out-dir", str(folder), *out)
        exported.append((folder / "adapter_model.safetensors").read_bytes())
    assert len(set(exported)) == 1
    continued = [
        typed("generate", "review a fine film", "--adapter", name, "--tokens=3", *out)
        for name in names
    ]
    assert len(set(continued)) == 1
    # The leader goes the same ways.
    typed("export", lora.cell, "--out-dir", str(tmp_path / "leader"), *out)
    assert_stored(
        json.loads(typed("predict", "best", *out, *file_line)),
        compared.stored(max(compared.results(), key=lambda one: round(one.score or 0.0, 3))),
    )
    typed("generate", "review a fine film", "--adapter", "best", "--tokens=3", *out)


@pytest.mark.usefixtures("records_only")
def test_the_best_of_several_tasks_is_asked_for_by_task(
    tmp_path: Path, out: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        *("compare", "sentiment", "paraphrase", "--data=pocket", "--methods=head,lora"),
        *("--backbone", str(checkpoint), "--out", str(out), "--data.max_length=32"),
        *("--search.trials=1", "--search.epochs=1", "--search.pocket_examples=40"),
        *("--train.threads=1", "--train.accelerator=cpu"),
    ]
    assert main(line) == 0
    store = Store(out)
    plan = store.plan()
    assert plan is not None
    capsys.readouterr()
    assert main(["predict", "best", "a fine film", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "several tasks" in error
    assert error.count("\n") == 1
    for task in plan.tasks:
        rows = [store.result(cell.cell) for cell in plan.cells if cell.task == task]
        results = [row for row in rows if row is not None]
        scores = [round(row.score or 0.0, 3) for row in results]
        leader = results[scores.index(max(scores))]
        data = load_task(task, DataSettings(source="pocket"))
        stored = pq.read_table(out / leader.predictions).to_pylist()
        predictor = load_predictor("best", out, task=task)
        answers = predictor.predict(list(data.test.texts))
        assert [answer.label for answer in answers] == [row["prediction"] for row in stored]
    assert main(["predict", "best", "a", "--task", "sst2", "--out", str(out)]) == 2
    assert "unknown task of the last comparison 'sst2'" in capsys.readouterr().err


@pytest.mark.slow
def test_the_two_commands_as_processes_of_their_own(tmp_path: Path) -> None:
    backbone, data, away = (tmp_path / name for name in ("backbone", "data", "away"))
    small.make_folder(backbone)
    data.mkdir()
    away.mkdir()
    write_table(data / "questions.csv", reviews(TRAIN_ROWS, "train"))
    write_table(data / "questions-test.csv", reviews(TEST_ROWS, "test"))
    shutil.copy(data / "questions-test.csv", away / "copy.csv")
    program = (sys.executable, "-m", "tunebench")
    line = [
        *("compare", "questions.csv", "--test=questions-test.csv", "--text=body", "--label=mood"),
        *("--backbone=../backbone", "--methods=head,lora", "--out=../runs", "--search.trials=1"),
        *("--search.epochs=1", "--train.threads=1", "--data.max_length=48"),
    ]
    subprocess.run([*program, *line], cwd=data, check=True, capture_output=True)
    shutil.rmtree(data)
    asked = ["predict", "best", "--out=../runs", "--file=copy.csv", "--json"]
    done = subprocess.run([*program, *asked], cwd=away, check=True, capture_output=True, text=True)
    compared = Compared(tmp_path / "runs", away / "copy.csv", [])
    results = compared.results()
    leader = max(results, key=lambda one: round(one.score or 0.0, 3))
    assert_stored(json.loads(done.stdout), compared.stored(leader))
