"""A user's own file, from the line that is typed to the table; each mistake in one line."""

import json

import pytest
from tunebench.__main__ import main
from tunebench.store.store import Store
from tunebench.study import cell

pytestmark = pytest.mark.usefixtures("records_only")
INTENTS = ("buy", "call", "fly", "open", "play", "sing")


def questions(path, rows=72, first=0):
    """Six classes; the second word tells which, and numbers from `first` on follow it."""
    lines = [f"the {INTENTS[n % 6]} {n}\t{INTENTS[n % 6]}" for n in range(first, first + rows)]
    path.write_text("\n".join(["question\tintent", *lines]) + "\n")
    return path


@pytest.fixture
def run(checkpoint, out, capsys):
    """Types a comparison of the head on a file; returns exit code, output and errors."""

    def run(path, *flags, epochs=1):
        code = main(
            [
                *("compare", str(path), "--methods", "head", "--out", str(out)),
                *("--backbone", str(checkpoint), "--data.max_length", "32"),
                *("--search.trials=1", f"--search.epochs={epochs}", "--train.threads=1"),
                *flags,
            ]
        )
        message = capsys.readouterr()
        return code, message.out, message.err

    return run


def test_a_question_file_of_six_classes_runs(run, out, tmp_path):
    path, test = questions(tmp_path / "my.tsv"), questions(tmp_path / "my-test.tsv", 12, 72)
    code, message, _ = run(path, "--text", "question", "--label", "intent", "--test", str(test))
    assert code == 0
    (planned,) = Store(out).plan().cells
    row = Store(out).result(planned.cell)
    assert (row.task, row.test_examples, row.status) == ("my", 12, "complete")
    assert row.metrics.keys() == {"accuracy"}
    for text in ("own file my.tsv, 72 rows", "head", "bag of words"):
        assert text in message


def test_a_file_of_pairs_runs_and_shows_progress(run, out, tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"a": f"it rains {n}", "b": "it is wet", "same": n % 2 == 0} for n in range(40)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    code, message, _ = run(path, "--text", "a,b", "--label", "same")
    assert code == 0
    (planned,) = Store(out).plan().cells
    assert Store(out).result(planned.cell).test_examples == 8
    assert "seed 0" in message


def test_values_are_a_regression_with_correlations_and_a_cosine(run, out, tmp_path):
    path = tmp_path / "alike.tsv"
    lines = [f"a man {n}\ta dog {n * n}\t{n / 7:.3f}" for n in range(40)]
    path.write_text("\n".join(["text1\ttext2\tscore", *lines]))
    assert run(path)[0] == 0
    plan = Store(out).plan()
    row = Store(out).result(plan.cells[0].cell)
    assert row.metrics.keys() == {"pearson", "spearman"}
    assert row.accuracy is None
    assert "cosine of embeddings" in {reference.name for reference in plan.references}


GOOD = ["good a\tyes", "bad b\tno"] * 10
MISTAKES = {
    "a column that is not there": ("text\tlabel", GOOD, ("--label", "lable"), "label"),
    "an empty file": (None, [], (), "bad.tsv"),
    "no row": ("text\tlabel", [], (), "bad.tsv"),
    "a single class": ("text\tlabel", ["a\tyes", "b\tyes"] * 5, (), "yes"),
    "bad bytes": ("text\tlabel", [*GOOD, "caf\udce9\tyes"], (), "not UTF-8 at byte offset"),
    "a label that is no number": (
        "text\tlabel",
        GOOD,
        ("--data.kind", "number"),
        "bad.tsv:2: column 'label': 'yes' is the first of 20 labels of 20 that is no number",
    ),
    "an empty text": ("text\tlabel", [*GOOD, " \tyes"], (), "the text is empty"),
}


@pytest.mark.parametrize(("head", "rows", "flags", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_file_is_one_line_and_code_2_before_any_training(
    run, out, tmp_path, monkeypatch, head, rows, flags, text
):
    monkeypatch.setattr(cell, "fit", None)
    path = tmp_path / "bad.tsv"
    lines = [] if head is None else [head, *rows]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    code, message, error = run(path, *flags)
    assert code == 2
    assert error.count("\n") == 1
    assert error.startswith("tunebench: ")
    assert text in error
    assert "bad.tsv" in error
    assert "Traceback" not in message + error
    assert not (out / "cells").exists()


def test_a_label_never_seen_in_training_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setattr(cell, "fit", None)
    path, test = questions(tmp_path / "my.tsv"), tmp_path / "my-test.tsv"
    test.write_text("question\tintent\nthe dance\tdance\n")
    code, _, error = run(path, "--text", "question", "--label", "intent", "--test", str(test))
    assert code == 2
    assert error.count("\n") == 1
    assert "'dance'" in error
    assert "my-test.tsv" in error
