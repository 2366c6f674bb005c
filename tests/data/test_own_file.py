"""A user's own file as a task: its columns, ids, metric, and which rows are held out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tunebench.config import DataSettings
from tunebench.data.own_file import HELD_OUT, read_table, read_task, safe_name
from tunebench.data.split import hold_out
from tunebench.errors import UserError

from tests.data.small_tables import LETTERS, tsv


def _written(path: Path, labels: list[str]) -> Path:
    rows = [f"text {n},{label}" for n, label in enumerate(labels)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


@pytest.mark.parametrize("labels", [["a", "b"] * 20, [f"{n}.5" for n in range(40)]])
def test_the_held_out_rows_are_those_that_the_note_s_seed_draws(
    tmp_path: Path, labels: list[str]
) -> None:
    whole = read_task(
        _written(tmp_path / "rows.csv", labels),
        DataSettings(test=str(_written(tmp_path / "test.csv", labels))),
    )
    split = read_task(tmp_path / "rows.csv", DataSettings())
    assert "seed 0" in " ".join(split.notes)
    assert (split.train, split.test) == hold_out(whole.train, whole.task, share=HELD_OUT, seed=0)
    other = hold_out(whole.train, whole.task, share=HELD_OUT, seed=1)
    assert split.test != other[1]


@pytest.mark.parametrize("text", ["text,label\na,x\n", '"a,b\n'])
def test_reading_leaves_the_limit_of_the_csv_module_as_it_was(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    before = csv.field_size_limit(12_345)
    try:
        if text.startswith('"'):
            with pytest.raises(UserError, match=r"rows\.csv:1: a row that is not CSV"):
                read_table(path)
        else:
            read_table(path)
        assert csv.field_size_limit() == 12_345
    finally:
        csv.field_size_limit(before)


def test_a_file_becomes_a_task_with_sorted_classes_and_a_held_out_fifth(tmp_path: Path) -> None:
    data = read_task(tsv(tmp_path / "My File.tsv", LETTERS), DataSettings())
    assert data.task.name == "my-file"
    assert data.task.labels == ("no", "yes")
    assert data.task.metrics == ("accuracy",)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert not set(data.train.ids) & set(data.test.ids)
    assert sorted(data.test.labels) == [0.0, 0.0, 1.0, 1.0]
    assert "no test file: 4 of 20 rows held out, stratified, seed 0" in data.notes
    assert "labels 'label': 2 classes (no, yes)" in data.notes
    assert data.source == "own file My File.tsv, 20 rows"


def test_pairs_of_json_lines_and_a_test_file_of_another_format_are_read(tmp_path: Path) -> None:
    rows = [{"a": f"x {n}", "b": f"y {n}", "same": n % 2 == 0, "more": None} for n in range(6)]
    train = tmp_path / "pairs.jsonl"
    train.write_text("\n".join(json.dumps(row) for row in rows))
    test = tsv(tmp_path / "t.tsv", [("p", "q", "true"), ("x 1", "y 1", "false")], "a\tb\tsame")
    asked = DataSettings(text=("a", "b"), label="same", test=str(test))
    data = read_task(train, asked)
    assert data.task.labels == ("false", "true")
    assert data.train.labels == (1.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    assert data.test.texts == (("p", "q"), ("x 1", "y 1"))
    assert "columns not used: more" in data.notes
    assert "1 of 2 test inputs also occur in train" in data.notes


def test_an_id_column_names_the_rows(tmp_path: Path) -> None:
    rows = [(f"r{n}", *LETTERS[n]) for n in range(20)]
    data = read_task(tsv(tmp_path / "ids.tsv", rows, "id\ttext\tlabel"), DataSettings())
    assert {*data.train.ids, *data.test.ids} == {f"ids-train-r{n}" for n in range(20)}


RARE = [(f"t {n}", "urgent" if n % 10 == 0 else "normal") for n in range(60)]


@pytest.mark.parametrize(
    ("metric", "metrics"),
    [
        ("macro_f1", ("macro_f1",)),
        ("mcc", ("mcc",)),
        ("balanced_accuracy", ("balanced_accuracy",)),
        ("accuracy", ("accuracy",)),
        ("f1", ("f1:urgent",)),
        ("f1:normal", ("f1:normal",)),
    ],
)
def test_the_metric_can_be_chosen(tmp_path: Path, metric: str, metrics: tuple[str, ...]) -> None:
    path = tsv(tmp_path / "m.tsv", RARE)
    assert read_task(path, DataSettings(metric=metric)).task.metrics == metrics


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("macro", "--data.metric: unknown metric 'macro'.*macro_f1"),
        ("f1:late", "--data.metric: unknown metric 'f1:late'.*f1:urgent"),
        ("pearson", "--data.metric: unknown metric 'pearson'"),
        ("urgent", "--data.metric: unknown metric 'urgent'.*f1:urgent"),
    ],
)
def test_a_metric_that_is_none_is_refused(tmp_path: Path, metric: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_task(tsv(tmp_path / "m.tsv", RARE), DataSettings(metric=metric))


def test_f1_of_three_classes_must_name_one(tmp_path: Path) -> None:
    path = tsv(tmp_path / "m.tsv", [(f"t {n}", "abc"[n % 3]) for n in range(30)])
    with pytest.raises(UserError, match="f1 is that of one class, and there are 3: f1:a, say, or"):
        read_task(path, DataSettings(metric="f1"))


def test_the_rows_of_each_class_are_counted_and_imbalance_is_named(tmp_path: Path) -> None:
    notes = read_task(tsv(tmp_path / "m.tsv", RARE), DataSettings()).notes
    assert "rows of each class: normal 54, urgent 6" in notes
    (hint,) = [note for note in notes if note.startswith("90% of the rows are 'normal': accuracy")]
    assert hint.endswith("--data.metric macro_f1, mcc or f1:urgent does")
    assert read_task(tmp_path / "m.tsv", DataSettings(metric="f1:urgent")).task.metrics
    chosen = read_task(tmp_path / "m.tsv", DataSettings(metric="mcc")).notes
    assert not any("accuracy hardly" in note for note in chosen)


@pytest.mark.parametrize("ids", ["7 8 7", "7  9"])
def test_ids_that_do_not_tell_rows_apart_give_way_to_lines(tmp_path: Path, ids: str) -> None:
    rows = [(name, f"text {n}", "ab"[n % 2]) for n, name in enumerate(ids.split(" ") * 4)]
    data = read_task(tsv(tmp_path / "c.tsv", rows, "id\ttext\tlabel"), DataSettings())
    assert any(note.startswith("column 'id' does not tell rows apart (") for note in data.notes)
    assert data.train.own_ids == ()
    assert sorted(data.train.lines + data.test.lines) == list(range(2, 14))


def test_a_row_s_own_id_and_line_stay_with_it(tmp_path: Path) -> None:
    rows = [(f"r{n}", *LETTERS[n]) for n in range(20)]
    data = read_task(tsv(tmp_path / "ids.tsv", rows, "id\ttext\tlabel"), DataSettings())
    for examples in (data.train, data.test, data.train.joined(data.test)):
        for name, line, texts in zip(examples.own_ids, examples.lines, examples.texts, strict=True):
            assert rows[line - 2][:2] == (name, *texts)
    assert data.test.origin() == {"id": list(data.test.own_ids), "line": list(data.test.lines)}


@pytest.mark.parametrize(
    ("header", "text", "columns"),
    [
        ('"Text, body",label', "Text, body", ("Text, body",)),
        ("text ,label", "text ", ("text ",)),
        ('"a,b",c,label', "a,b", ("a,b",)),
        ("a,b,label", "a,b", ("a", "b")),
        ("a,b,label", "a, b", ("a", "b")),
    ],
)
def test_text_columns_may_have_commas_and_blanks_in_their_names(
    tmp_path: Path, header: str, text: str, columns: tuple[str, ...]
) -> None:
    path, cells = tmp_path / "t.csv", header.count(",") - header.count(", ") - header.count('a,b"')
    rows = [",".join([*(f"w{n}",) * cells, "xy"[n % 2]]) for n in range(8)]
    path.write_text("\n".join([header, *rows]) + "\n")
    assert read_task(path, DataSettings(text=(text,), label="label")).task.text == columns


def test_a_test_label_that_training_never_shows_is_refused(tmp_path: Path) -> None:
    train = tsv(tmp_path / "train.tsv", LETTERS)
    test = tsv(tmp_path / "test.tsv", [("a", "no"), ("b", "maybe")])
    with pytest.raises(UserError, match=r"test\.tsv:3: .*'maybe' never occurs .*known: no, yes"):
        read_task(train, DataSettings(test=str(test)))


def test_a_regression_refuses_a_test_label_that_is_no_number(tmp_path: Path) -> None:
    train = tsv(tmp_path / "train.tsv", [(f"t {n}", f"{n}.5") for n in range(9)])
    test = tsv(tmp_path / "test.tsv", [("a", "high")])
    with pytest.raises(UserError, match=r"test\.tsv:2: .*a number is needed, but got 'high'"):
        read_task(train, DataSettings(test=str(test)))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("text\tlabel\tscore", r"--label \(several could be it; columns: 'text', 'label', 'score'"),
        ("question\tlabel\tx", r"--text \(none has a usual name"),
        ("text\tsentence\tlabel", r"--text \(several could be it"),
    ],
)
def test_columns_are_guessed_only_where_they_are_clear(
    tmp_path: Path, header: str, message: str
) -> None:
    path = tsv(tmp_path / "x.tsv", [("a", "b", "c")] * 4, header)
    with pytest.raises(UserError, match=message):
        read_task(path, DataSettings())


def test_three_text_columns_or_the_label_as_text_are_refused(tmp_path: Path) -> None:
    path = tsv(tmp_path / "x.tsv", LETTERS)
    with pytest.raises(UserError, match="one column or two, but got 3: 'a', 'b', 'c'"):
        read_task(path, DataSettings(text=("a", "b", "c")))
    with pytest.raises(UserError, match="must be different columns"):
        read_task(path, DataSettings(text=("label",), label="label"))


@pytest.mark.parametrize(
    ("file", "name"),
    [("a b.C.tsv", "a-b-c"), ("cola.csv", "cola-file"), ("é.tsv", "table"), ("../../x.tsv", "x")],
)
def test_a_task_name_is_safe_and_never_a_built_in_one(file: str, name: str) -> None:
    assert safe_name(Path(file)) == name


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_message_is_short_however_long_the_names_are(tmp_path: Path, ending: str) -> None:
    names = [f"column {n}\n{'x' * 1_000}" for n in range(100)]
    path = tmp_path / f"x.{ending}"
    if ending == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([names, ["1"] * 100])
    else:
        path.write_text(json.dumps(dict.fromkeys(names, 1)))
    with pytest.raises(UserError) as refusal:
        read_task(path, DataSettings())
    with pytest.raises(UserError) as other:
        read_task(path, DataSettings(text=("y\n" * 500,), label=names[1]))
    for message in (str(refusal.value), str(other.value)):
        assert len(message) < 1_200
        assert "\n" not in message
