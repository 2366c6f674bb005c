"""`compare` on a user's own file, the file deleted, then `predict` from elsewhere: equal answers.

The oracle is the file of predictions that the comparison wrote on its test rows. Both commands are
called as they are typed, and the texts that `predict` reads come from a copy of the test file.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from tunebench import load_predictor, load_task
from tunebench.__main__ import main
from tunebench.config import DataSettings
from tunebench.records import Result
from tunebench.store.store import Store

from tests import small
from tests.study.answering import (
    TEST_ROWS,
    TRAIN_ROWS,
    Compared,
    assert_stored,
    reviews,
    run_comparison,
    write_table,
)
from tests.study.conftest import DATABASES

pytestmark = pytest.mark.usefixtures("elsewhere", "brief_latency")

TEMPLATE = "review: {body} [P] sentiment:"


BUILT_IN = "{body} It was"
"""A template for real checkpoints, whose label words are single tokens there."""


WORDS = ("--data.label_words=negative,positive",)


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
    # With one seed there is no advice; the lines that load the methods' adapters are there and do.
    known = json.loads(typed("advise", "--json", "--out", str(compared.out)))
    assert (known["advised"], known["no_advice"]) == (None, "one seed")
    assert len(known["choices"]) == methods
    assert typed(*shlex.split(known["choices"][0]["predict"])[1:])


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


@pytest.fixture
def published(tmp_path: Path, databases: Path) -> Path:
    """An output folder with ready databases, whose comparison is published in MLflow."""
    out = tmp_path / "runs"
    out.mkdir()
    for file in DATABASES:
        (out / file).write_bytes((databases / file).read_bytes())
    return out


def ids_above(out: Path, run_id: str) -> tuple[str, str]:
    """The run ids of a cell's study and comparison."""
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    study = client.get_run(run_id).data.tags["mlflow.parentRunId"]
    return study, client.get_run(study).data.tags["mlflow.parentRunId"]


def leader_of(compared: Compared) -> Result:
    """The first of the cells with the highest score."""
    return max(compared.results(), key=lambda one: round(one.score or 0.0, 3))


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
    # The rows above a cell are what MLflow's page shows first.
    study, comparison = ids_above(published, identities[lora.cell])
    typed("export", study, "--out-dir", str(tmp_path / "of-study"), *out)
    assert (tmp_path / "of-study" / "adapter_model.safetensors").read_bytes() == exported[0]
    of_comparison = json.loads(typed("predict", comparison, *out, *file_line))
    assert_stored(of_comparison, compared.stored(leader_of(compared)))
    continued = [
        typed("generate", "review a fine film", "--adapter", name, "--tokens=3", *out)
        for name in names
    ]
    assert len(set(continued)) == 1
    # The leader goes the same ways.
    typed("export", lora.cell, "--out-dir", str(tmp_path / "leader"), *out)
    assert_stored(
        json.loads(typed("predict", "best", *out, *file_line)),
        compared.stored(leader_of(compared)),
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
