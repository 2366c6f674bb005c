"""A cross-validation of a small file: three folds, trained, stopped, resumed, reported, served."""

import csv
import dataclasses
from collections import Counter

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from tunebench.__main__ import main
from tunebench.config import DataSettings
from tunebench.errors import UserError
from tunebench.methods import get_method
from tunebench.progress import Quiet
from tunebench.store.store import Store
from tunebench.study import cell
from tunebench.study.compare import compare
from tunebench.study.doctor import examine
from tunebench.study.once import run_once
from tunebench.study.prepare_run import prepare_run
from tunebench.study.publish import rebuild
from tunebench.study.tune import tune

from tests import small

SAYS = "K-fold cross-validation, K = 3, 40 rows"


def folded(checkpoint, out, **changes):
    data = DataSettings(folds=3, max_length=32)
    return small.experiment(checkpoint, out, data=data, **changes)


def refuse(*arguments, **named):
    raise AssertionError("something was trained")


def answers(out, comparison, method):
    """The test rows of all folds of a method: (line, label)."""
    files = [row.predictions for row in comparison.results if row.method == method]
    tables = [pq.read_table(out / file) for file in files]
    return [
        pair
        for table in tables
        for pair in zip(table["line"].to_pylist(), table["label"].to_pylist(), strict=True)
    ]


@pytest.mark.slow
def test_three_folds_from_the_command_to_the_report_and_nothing_is_run_again(
    checkpoint, out, monkeypatch, capsys
):
    line = [
        *("compare", str(checkpoint / "reviews.tsv"), "--folds", "3", "--methods", "head,lora"),
        *("--backbone", str(checkpoint), "--data.max_length=32", "--out", str(out)),
        *("--search.trials=1", "--search.epochs=1", "--train.threads=1"),
    ]
    assert main([*line, "--dry-run"]) == 0
    plan = capsys.readouterr().out
    for text in ("reviews in 3 folds", "6 (folds × methods × seeds)", SAYS):
        assert text in plan
    assert main(line) == 0
    shown = capsys.readouterr().out
    assert SAYS in shown
    assert "means over 3 folds of one seed each" in " ".join(shown.split())
    for name in ("report.md", "report.html", "results.csv"):
        assert SAYS in (out / name).read_text("utf-8")
    rows = list(csv.DictReader((out / "results.csv").read_text("utf-8").splitlines()))
    assert {row["task"] for row in rows} == {"reviews"}
    assert Counter(row["fold"] for row in rows) == {"1": 2, "2": 2, "3": 2}
    assert len({row["mlflow_run_id"] for row in rows} - {""}) == 6
    client = MlflowClient(f"sqlite:///{out}/mlflow.db")
    runs = [client.get_run(row["mlflow_run_id"]) for row in rows]
    assert [run.data.tags["fold"] for run in runs] == [f"{r['fold']} of 3 of reviews" for r in rows]
    assert examine(out) == []
    before = sorted(path.name for path in out.rglob("*.json"))
    monkeypatch.setattr(cell, "fit", refuse)
    assert main(line) == 0
    assert main(["report", "--out", str(out)]) == 0
    assert main(["doctor", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.rglob("*.json")) == before
    assert rebuild(out).tasks[0].rows[0].complete == 3
    capsys.readouterr()
    assert main(["predict", "best", "a fine film", "--out", str(out)]) == 0
    message = capsys.readouterr()
    assert "of 3, was trained without" in message.out + message.err
    assert main(["disagreements", "reviews", "--out", str(out)]) == 0
    message = capsys.readouterr()
    assert "40 test examples" in " ".join(message.out.split())
    assert "no texts" not in message.err
    assert main(["predict", "best", "a film", "--task", "reviews", "--out", str(out)]) == 0


@pytest.mark.usefixtures("records_only")
def test_every_row_is_answered_once_by_each_method_and_all_have_the_same_folds(checkpoint, out):
    comparison = compare(folded(checkpoint, out))
    assert {row.status for row in comparison.results} == {"complete"}
    lines = (checkpoint / "reviews.tsv").read_text().splitlines()
    rows = [(n, line.rpartition("\t")[2]) for n, line in enumerate(lines[1:], start=2)]
    for method in ("head", "lora"):
        assert sorted(answers(out, comparison, method)) == rows
    digests = {row.task: set() for row in comparison.results}
    for row in comparison.results:
        digests[row.task].add(row.data_digest)
    assert [len(each) for each in digests.values()] == [1, 1, 1]
    assert len(set().union(*digests.values())) == 3
    # Nested: each fold has its own search, whose trials see that fold's training rows alone.
    assert len({row.study for row in comparison.results}) == 6
    assert len(comparison.trials) == 6


@pytest.mark.usefixtures("records_only")
def test_a_test_row_is_never_a_row_that_its_fold_trains_or_selects_on(checkpoint, out, monkeypatch):
    seen, inner = [], cell.fit

    def spy(base_model, method, prepared, *rest, **named):
        seen.append(prepared)
        return inner(base_model, method, prepared, *rest, **named)

    monkeypatch.setattr(cell, "fit", spy)
    comparison = compare(folded(checkpoint, out, methods={"head": {}}))
    tested = {
        row.task: {*pq.read_table(out / row.predictions)["id"].to_pylist()}
        for row in comparison.results
    }
    assert len(seen) == 6
    for prepared in seen:
        used = {*prepared.fit.rows.ids, *prepared.validation.rows.ids}
        assert not used & tested[prepared.task.name]
        assert used | tested[prepared.task.name] == {f"reviews-train-{n}" for n in range(40)}
        assert {*prepared.capped().train.ids} == used


@pytest.mark.usefixtures("records_only")
def test_a_run_that_stopped_goes_on_with_the_folds_that_are_missing(checkpoint, out, monkeypatch):
    experiment = folded(checkpoint, out, methods={"head": {}}, seeds=(0, 1))
    whole = compare(experiment)
    gone = next(row for row in whole.results if (row.task, row.seed) == ("reviews-fold2", 1))
    (out / "cells" / f"{gone.cell}.json").unlink()
    calls, inner = [], cell.fit

    def spy(base_model, method, prepared, *rest, **named):
        calls.append((prepared.task.name, named["seed"]))
        return inner(base_model, method, prepared, *rest, **named)

    monkeypatch.setattr(cell, "fit", spy)
    again = compare(experiment)
    assert calls == [("reviews-fold2", 1)]
    assert [row.metrics for row in again.results] == [row.metrics for row in whole.results]


@pytest.mark.usefixtures("records_only")
def test_another_number_of_folds_is_another_comparison(checkpoint, out):
    ids = set()
    for folds in (3, 2):
        data = DataSettings(folds=folds, max_length=32)
        comparison = compare(small.experiment(checkpoint, out, methods={"head": {}}, data=data))
        assert len(comparison.folds) == folds
        ids |= {comparison.id, *(row.cell for row in comparison.results)}
    assert len(ids) == 2 + 3 + 2
    plain = small.experiment(checkpoint, out)
    assert plain.data.folds is None
    tasks = prepare_run(plain, Store(out), Quiet(), methods=[get_method("head")()]).tasks
    assert [(name, one.data.fold) for name, one in tasks.items()] == [("reviews", None)]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--folds", "1"], "--folds: must be >= 2, but got 1"),
        (["--folds", "2.5"], "--folds: must be a whole number"),
        (["--folds", "five"], "--folds: must be a whole number"),
        (["--folds", "30"], "--folds: 30 folds need at least 30 rows of each class"),
        (["--folds", "3", "--test", "reviews-test.tsv"], "--folds: cannot stand beside --test"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_trained(
    checkpoint, out, monkeypatch, capsys, flags, text
):
    monkeypatch.setattr(cell, "fit", refuse)
    monkeypatch.chdir(checkpoint)
    line = ["compare", "./reviews.tsv", "--methods", "head", "--backbone", str(checkpoint)]
    assert main([*line, "--out", str(out), *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert text in error


def test_built_in_tasks_and_what_trains_only_once_take_no_folds(checkpoint, out, capsys):
    line = ["compare", "sentiment", "--folds", "3", "--methods", "head", "--out", str(out)]
    assert main(line) == 2
    assert "--folds: is for a file of your own" in capsys.readouterr().err
    experiment = folded(checkpoint, out, methods={"head": {}})
    with pytest.raises(UserError, match=r"data\.folds: is for compare"):
        tune(experiment, trials=1)
    with pytest.raises(UserError, match=r"data\.folds: is for compare"):
        run_once(experiment.tasks[0], get_method("head")(), experiment=experiment)
    assert dataclasses.replace(experiment.data, folds=None).folds is None
