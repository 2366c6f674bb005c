"""A user's own file: formats, the rule of labels, and one clear message for each mistake."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tunebench.config import DataSettings
from tunebench.data.own_file import read_table, read_task, safe_name
from tunebench.errors import UserError

LETTERS = [(f"good text {n}", "yes" if n % 2 else "no") for n in range(20)]
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=10)


def _tsv(path: Path, rows: Sequence[Sequence[str]], header: str = "text\tlabel") -> Path:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n")
    return path


def test_a_file_becomes_a_task_with_sorted_classes_and_a_held_out_fifth(tmp_path: Path) -> None:
    data = read_task(_tsv(tmp_path / "My File.tsv", LETTERS), DataSettings())
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
    test = _tsv(tmp_path / "t.tsv", [("p", "q", "true"), ("x 1", "y 1", "false")], "a\tb\tsame")
    asked = DataSettings(text=("a", "b"), label="same", test=str(test))
    data = read_task(train, asked)
    assert data.task.labels == ("false", "true")
    assert data.train.labels == (1.0, 0.0, 1.0, 0.0, 1.0, 0.0)
    assert data.test.texts == (("p", "q"), ("x 1", "y 1"))
    assert "columns not used: more" in data.notes
    assert "1 of 2 test inputs also occur in train" in data.notes


def test_csv_quotes_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('text,label\n"a, ""b""\nc",1\nplain,0\nmore,1\nlast,0\nx,1\ny,0\n', newline="")
    table = read_table(path)
    assert table.rows[0] == ('a, "b"\nc', "1")
    assert table.lines == (2, 4, 5, 6, 7, 8)


def test_tsv_quotes_are_ordinary_characters(tmp_path: Path) -> None:
    table = read_table(_tsv(tmp_path / "q.tsv", [('"open', "1"), ('""', "0")]))
    assert table.rows == (('"open', "1"), ('""', "0"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(ANY, ANY), min_size=1, max_size=6))
def test_csv_and_json_lines_give_back_what_was_written(
    tmp_path: Path, rows: list[tuple[str, str]]
) -> None:
    # A row in which nothing stands is no row.
    full = tuple(row for row in rows if any(cell.strip() for cell in row))
    assume(full)
    with (tmp_path / "r.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *rows])
    objects = [json.dumps(dict(zip(("text", "label"), row, strict=True))) for row in rows]
    (tmp_path / "r.jsonl").write_text("\n".join(objects))
    for name in ("r.csv", "r.jsonl"):
        table = read_table(tmp_path / name)
        assert table.columns == ("text", "label")
        assert table.rows == full


def test_a_text_of_a_megabyte_is_read(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    (tmp_path / "big.csv").write_text(f'text,label\n"{"word " * 200_000}",1\n')
    assert len(str(read_table(tmp_path / "big.csv").rows[0][0])) == 1_000_000
    assert csv.field_size_limit() == limit


RULES = {
    "integers": (["3", "1", "2", "10"] * 5, ("1", "2", "3", "10")),
    "many integers": ([str(n) for n in range(21)], ()),
    "decimals": (["0.5", "1", "2.5", "4"] * 5, ()),
    "text among numbers": (["1", "2", "none", "2"] * 5, ("1", "2", "none")),
    "leading zeros": (["01", "1", "2", "2"] * 5, ("01", "1", "2")),
    "not finite": (["1", "inf", "2", "2"] * 5, ("1", "2", "inf")),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_law_of_labels(tmp_path: Path, rule: str) -> None:
    labels, classes = RULES[rule]
    rows = [(f"t {n}", label) for n, label in enumerate(labels)]
    data = read_task(_tsv(tmp_path / "rule.tsv", rows), DataSettings())
    assert data.task.labels == classes
    assert data.task.metrics == (("accuracy",) if classes else ("pearson", "spearman"))
    assert any(note.startswith("labels 'label': ") for note in data.notes)


def test_an_id_column_names_the_rows(tmp_path: Path) -> None:
    rows = [(f"r{n}", *LETTERS[n]) for n in range(20)]
    data = read_task(_tsv(tmp_path / "ids.tsv", rows, "id\ttext\tlabel"), DataSettings())
    assert {*data.train.ids, *data.test.ids} == {f"ids-train-r{n}" for n in range(20)}


KINDS = {
    "classes": ([str(n % 25) for n in range(150)], "classes", tuple(map(str, range(25)))),
    "ratings": (["1.0", "5.0", "2.0", "5.0", "1.0", "2.0"] * 2, "classes", ("1.0", "2.0", "5.0")),
    "numbers": (["1", "2", "3", "3"] * 3, "number", ()),
}


@pytest.mark.parametrize("case", KINDS)
def test_the_kind_of_labels_can_be_said(tmp_path: Path, case: str) -> None:
    labels, kind, classes = KINDS[case]
    path = _tsv(tmp_path / "k.tsv", [(f"t {n}", label) for n, label in enumerate(labels)])
    task = read_task(path, DataSettings(kind=kind)).task  # type: ignore[arg-type]
    assert (task.labels, task.objective) == (
        classes,
        "classification" if classes else "regression",
    )


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
    path = _tsv(tmp_path / "m.tsv", RARE)
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
        read_task(_tsv(tmp_path / "m.tsv", RARE), DataSettings(metric=metric))


def test_f1_of_three_classes_must_name_one(tmp_path: Path) -> None:
    path = _tsv(tmp_path / "m.tsv", [(f"t {n}", "abc"[n % 3]) for n in range(30)])
    with pytest.raises(UserError, match="f1 is that of one class, and there are 3: f1:a, say, or"):
        read_task(path, DataSettings(metric="f1"))


def test_the_rows_of_each_class_are_counted_and_imbalance_is_named(tmp_path: Path) -> None:
    notes = read_task(_tsv(tmp_path / "m.tsv", RARE), DataSettings()).notes
    assert "rows of each class: normal 54, urgent 6" in notes
    (hint,) = [note for note in notes if note.startswith("90% of the rows are 'normal': accuracy")]
    assert hint.endswith("--data.metric macro_f1, mcc or f1:urgent does")
    assert read_task(tmp_path / "m.tsv", DataSettings(metric="f1:urgent")).task.metrics
    chosen = read_task(tmp_path / "m.tsv", DataSettings(metric="mcc")).notes
    assert not any("accuracy hardly" in note for note in chosen)


def test_a_kind_that_does_not_fit_is_refused_with_the_line(tmp_path: Path) -> None:
    path = _tsv(tmp_path / "k.tsv", LETTERS)
    with pytest.raises(UserError, match=r"k\.tsv:2: .*'no' is the first of 20 labels"):
        read_task(path, DataSettings(kind="number"))


@pytest.mark.parametrize("ids", ["7 8 7", "7  9"])
def test_ids_that_do_not_tell_rows_apart_give_way_to_lines(tmp_path: Path, ids: str) -> None:
    rows = [(name, f"text {n}", "ab"[n % 2]) for n, name in enumerate(ids.split(" ") * 4)]
    data = read_task(_tsv(tmp_path / "c.tsv", rows, "id\ttext\tlabel"), DataSettings())
    assert any(note.startswith("column 'id' does not tell rows apart (") for note in data.notes)
    assert data.train.own_ids == ()
    assert sorted(data.train.lines + data.test.lines) == list(range(2, 14))


def test_a_row_s_own_id_and_line_stay_with_it(tmp_path: Path) -> None:
    rows = [(f"r{n}", *LETTERS[n]) for n in range(20)]
    data = read_task(_tsv(tmp_path / "ids.tsv", rows, "id\ttext\tlabel"), DataSettings())
    for examples in (data.train, data.test, data.train.joined(data.test)):
        for name, line, texts in zip(examples.own_ids, examples.lines, examples.texts, strict=True):
            assert rows[line - 2][:2] == (name, *texts)
    assert data.test.origin() == {"id": list(data.test.own_ids), "line": list(data.test.lines)}


def test_empty_rows_and_blank_lines_are_counted_and_skipped(tmp_path: Path) -> None:
    contents = {
        "e.csv": 'text,label\na,x\n\n,\nb,y\n" ",\nc,x\nd,y\ne,x\nf,y\n',
        "e.tsv": "text\tlabel\na\tx\n\n\t\nb\ty\n \t \nc\tx\nd\ty\ne\tx\nf\ty\n",
        "e.jsonl": "".join(
            line + "\n"
            for line in (
                '{"text": "a", "label": "x"}',
                "",
                '{"text": "", "label": null}',
                '{"text": "b", "label": "y"}',
                "{}",
                '{"text": "c", "label": "x"}',
                '{"text": "d", "label": "y"}',
                '{"text": "e", "label": "x"}',
                '{"text": "f", "label": "y"}',
            )
        ),
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        data = read_task(tmp_path / name, DataSettings())
        assert f"{name}: 3 empty rows skipped" in data.notes
        lines = sorted(data.train.lines + data.test.lines)
        assert lines == ([2, 5, 7, 8, 9, 10] if name != "e.jsonl" else [1, 4, 6, 7, 8, 9])


def test_semicolons_separate_columns_where_the_header_has_no_comma(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("text;label\n" + "".join(f"a, {n};{'xy'[n % 2]}\n" for n in range(8)))
    data = read_task(path, DataSettings())
    assert "s.csv: columns separated by semicolons" in data.notes
    assert {text for (text,) in data.train.texts + data.test.texts} == {f"a, {n}" for n in range(8)}


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


MANY = "".join(f"text {n}\t{n % 2}\n" for n in range(10))
FILES = {
    "column": (
        "m.tsv",
        "quesion\tlabel\n" + MANY,
        r"m\.tsv: no column 'question'.*--text.*quesion",
    ),
    "empty": ("m.tsv", "", r"m\.tsv: the file is empty"),
    "header": ("m.csv", "question,label\n", r"m\.csv: a header and no rows"),
    "single": ("m.csv", "question,label\na,x\nb,x\n", "at least two distinct labels.*'x'"),
    "missing": ("m.csv", "question,label\na,x\nb,\n", r"m\.csv:3: column 'label': the label is mi"),
    "spaces": ("m.csv", "question,label\na,x \nb,y\n", r"m\.csv:2: .*no spaces around it.*'x '"),
    "ragged": ("m.csv", "question,label\na,x\nb\n", r"m\.csv:3: .* 2 comma-separated .* has 1"),
    "torn": ("m.tsv", "question\tlabel\na\tx\tz\n", r"m\.tsv:2: .* 2 tab-separated .* has 3"),
    "commas": ("m.tsv", "question,label\na,x\n", r"m\.tsv:1: .*separated by tabs.*name a .*\.csv"),
    "semicolons": ("m.csv", "question;label\na;x\nb\n", r"m\.csv:3: .* 2 semicolon-sep.* has 1"),
    "NaN": (
        "m.jsonl",
        '{"question": "a", "label": 1}\n{"question": "b", "label": NaN}\n',
        r"m\.jsonl:2: column 'label': the label is missing",
    ),
    "one bad number": (
        "m.csv",
        "question,label\n" + "".join(f"a,{n}.5\n" for n in range(9)) + "b,n/a\n",
        r"m\.csv:11: .*'n/a' is the one label of 10 that is no number.*--data\.kind classes",
    ),
    "missing among classes": (
        "m.csv",
        "question,label\n" + "a,x\nb,y\n" * 9 + "c,NaN\nd,N/A\n",
        r"m\.csv:20: .*'NaN' is what programs write .*\(2 rows have one\).*kind classes",
    ),
    "missing among numbers of classes": (
        "m.csv",
        "question,label\n" + "a,1\nb,2\n" * 9 + "c,null\n",
        r"m\.csv:20: .*'null' is what programs write .*\(one row has one\)",
    ),
    "either comma": (
        "m.csv",
        "question;label\n" + "".join(f"a;{n},500\n" for n in range(1, 30)),
        r"m\.csv:2: .*'1,500' has a comma .* write '1\.500' or '1500'",
    ),
    "thousands": (
        "m.csv",
        "question,label\n" + "".join(f'a,"{n},500.25"\n' for n in range(1, 30)),
        r"m\.csv:2: .*'1,500\.25' has a unit or parted thousands; .*kind classes",
    ),
    "percent": (
        "m.csv",
        "question,label\n" + "".join(f"a,{n}.5 %\n" for n in range(1, 30)),
        r"m\.csv:2: .*'1\.5 %' has a unit",
    ),
    "trailing in one row": (
        "m.csv",
        "question,label\na,x\nb,y,\nc,x\n",
        r"m\.csv:3: .* 2 comma-separated .* has 3",
    ),
    "twice": (
        "m.csv",
        "question,label,label\na,x,y\nb,y,x\n",
        r"the column 'label' stands there more than once",
    ),
    "two bad numbers": (
        "m.csv",
        "question,label\n" + "".join(f"a,{n}.5\n" for n in range(9)) + "b,n/a\nc,nan\n",
        r"m\.csv:11: .*'n/a' is the first of 2 labels of 11 that",
    ),
    "decimal comma": (
        "m.csv",
        "question;label\n" + "".join(f"a;{n},5\n" for n in range(9)),
        r"m\.csv:2: .*'0,5' has a decimal comma; write '0\.5'",
    ),
    "whole numbers": (
        "m.csv",
        "question,label\n" + "".join(f"a,{n % 25}\n" for n in range(50)),
        r"25 whole numbers.*classes or values; say which with --data\.kind classes or",
    ),
    "long label": (
        "m.jsonl",
        '{"question": "a", "label": ["' + "x" * 900 + '"]}\n',
        r"m\.jsonl:1: .*but got \['x{57}…$",
    ),
    "open": (
        "m.csv",
        'question,label\na,x\n"b,y\nc,x\n',
        r"m\.csv:3: a row that is not CSV: a quote that opens in it is never closed",
    ),
    "mac": ("m.tsv", "question\tlabel\ra\tx\r", r"m\.tsv:1: a carriage return"),
    "json": ("m.jsonl", '{"question": "a", "label": 1}\n{"q\n', r"m\.jsonl:2: not JSON"),
    "list": ("m.jsonl", "[1]\n", r"m\.jsonl:1: every line must be a JSON object"),
    "number": (
        "m.jsonl",
        '{"question": 3, "label": "x"}\n{"label": "y"}\n' * 2,
        "m.jsonl:1: .*text",
    ),
    "nested": ("m.jsonl", '{"question": "a", "label": [1]}\n', r"m\.jsonl:1: .*a text or a number"),
    "null": ("m.jsonl", '{"question": "a", "label": null}\n', "the label is missing"),
    "ending": (
        "m.xlsx",
        "question",
        r"unknown file ending '\.xlsx' \(known: \.tsv, \.csv, \.jsonl\)",
    ),
    "alone": ("m.csv", "question,label\na,x\nb,y\nc,y\n", "at least two training rows.*'x'"),
    "floats": ("m.csv", "question,label\na,1.0\nb,0.0\nc,1.0\n", r"m\.csv:2: .*'1\.0' could be"),
    "wordless": ("m.tsv", "question\tlabel\n \t1\n" + MANY, r"m\.tsv:2: .*the text is empty"),
    "few": ("m.csv", "question,label\na,x\nb,y\nc,y\nd,x\n", "give a test file"),
    "half": (
        "m.jsonl",
        '{"question": "\\ud800", "label": 1}\n' * 2 + '{"label": 2}\n' * 2,
        "surro",
    ),
}


@pytest.mark.parametrize("mistake", FILES)
def test_a_mistake_is_one_sentence_that_names_its_place(tmp_path: Path, mistake: str) -> None:
    name, content, message = FILES[mistake]
    path = tmp_path / name
    path.write_text(content, newline="")
    with pytest.raises(UserError, match=message) as caught:
        read_task(path, DataSettings(text=("question",), label="label"))
    assert "\n" not in str(caught.value)


def test_bad_utf8_is_named_by_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(b"question,label\ncaf\xe9,x\n")
    with pytest.raises(UserError, match="not UTF-8 at byte offset 18"):
        read_task(path, DataSettings(text=("question",), label="label"))


def test_a_test_label_that_training_never_shows_is_refused(tmp_path: Path) -> None:
    train = _tsv(tmp_path / "train.tsv", LETTERS)
    test = _tsv(tmp_path / "test.tsv", [("a", "no"), ("b", "maybe")])
    with pytest.raises(UserError, match=r"test\.tsv:3: .*'maybe' never occurs .*known: no, yes"):
        read_task(train, DataSettings(test=str(test)))


def test_a_regression_refuses_a_test_label_that_is_no_number(tmp_path: Path) -> None:
    train = _tsv(tmp_path / "train.tsv", [(f"t {n}", f"{n}.5") for n in range(9)])
    test = _tsv(tmp_path / "test.tsv", [("a", "high")])
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
    path = _tsv(tmp_path / "x.tsv", [("a", "b", "c")] * 4, header)
    with pytest.raises(UserError, match=message):
        read_task(path, DataSettings())


def test_three_text_columns_or_the_label_as_text_are_refused(tmp_path: Path) -> None:
    path = _tsv(tmp_path / "x.tsv", LETTERS)
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


READ = {
    "blank lines before the header": ("csv", "\n  \n,\ntext,label\na,1\n", ("text", "label"), (5,)),
    "blank lines before the header of tabs": (
        "tsv",
        "\n\t\ntext\tlabel\na\t1\n",
        ("text", "label"),
        (4,),
    ),
    "white space between rows": ("csv", "text,label\na,1\n   \nb,2\n", ("text", "label"), (2, 4)),
    "an empty row with more separators": ("csv", "text,label\n,,,\nb,2\n", ("text", "label"), (3,)),
    "a comma in a column's name": (
        "csv",
        "text;score, in %\na, b, c;0,5\nd;0,7\n",
        ("text", "score, in %"),
        (2, 3),
    ),
    "a comma in quotes": ("csv", '"a, b";label\nx;1\n', ("a, b", "label"), (2,)),
    "old line ends and a comma in a text": (
        "csv",
        "text;label\ra, b;1\rc;2\r",
        ("text", "label"),
        (2, 3),
    ),
}


@pytest.mark.parametrize("case", READ)
def test_what_spreadsheets_write_is_read(tmp_path: Path, case: str) -> None:
    ending, text, columns, numbers = READ[case]
    path = tmp_path / f"x.{ending}"
    path.write_bytes(text.encode())
    table = read_table(path)
    assert (table.columns, table.lines) == (columns, numbers)


ODD_JSON = {
    "a key twice": (
        '{"text": "a", "label": 1, "text": "b"}',
        ":1: the key 'text' stands there more",
    ),
    "half a pair in a label": ('{"text": "a", "label": "\\ud800"}', "column 'label'"),
    "half a pair in a key": ('{"\\udc00": "a", "label": 1}', ":1: the key"),
}


@pytest.mark.parametrize("case", ODD_JSON)
def test_json_that_no_other_file_could_hold_is_refused(tmp_path: Path, case: str) -> None:
    line, message = ODD_JSON[case]
    path = tmp_path / "x.jsonl"
    path.write_text(f'{line}\n{{"text": "c", "label": 2}}\n')
    with pytest.raises(UserError, match=message):
        read_task(path, DataSettings())


def test_lines_without_a_common_key_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(f'{{"key-{n}": 1}}\n' for n in range(20_000)))
    with pytest.raises(UserError, match="20000 lines have 20000 different keys"):
        read_table(path)


def test_a_small_file_of_blank_lines_under_a_wide_header_takes_little_room(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("a" + "\t" * 50_000 + "\n" + "\n" * 50_000 + "b" + "\t" * 50_000)
    assert read_table(path).lines == (50_002,)


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


BODY = [(f"a {n}", "xy"[n % 2]) for n in range(8)]


@pytest.mark.parametrize(
    ("header", "row", "note"),
    [
        ("text,label,", "{},{},", "o.csv: one column without name and cells"),
        (",text,label,,", ",{},{},,", "o.csv: 3 columns without name and cells"),
        ("text,label", "{},{},", ""),
        ("text|label", "{}|{}", "o.csv: columns separated by vertical bars"),
        ("sep=;\ntext;label", "{};{}", "o.csv: columns separated by semicolons"),
        ('"sep=,"\r\ntext,label', "{},{}", ""),
        ('\ufeff"text","label"', '"{}","{}"', ""),
    ],
)
def test_what_spreadsheets_put_around_a_table_is_passed_over(
    tmp_path: Path, header: str, row: str, note: str
) -> None:
    path = tmp_path / "o.csv"
    path.write_text("\n".join([header, *(row.format(*cells) for cells in BODY)]) + "\n")
    table = read_table(path)
    assert (table.columns, list(table.rows)) == (("text", "label"), BODY)
    assert table.lines[0] == 2 + header.count("\n")
    assert table.notes == ((note,) if note else ())


def test_a_column_without_a_name_that_holds_something_stays(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("\n".join([",text,label", *(f"{n},a {n},{'xy'[n % 2]}" for n in range(8))]))
    assert read_table(path).columns == ("", "text", "label")
    assert "columns not used: ''" in read_task(path, DataSettings()).notes


def test_what_a_program_writes_for_a_missing_label_may_be_a_class(tmp_path: Path) -> None:
    path = _tsv(tmp_path / "o.tsv", [(f"a {n}", ("NA", "EU")[n % 2]) for n in range(10)])
    with pytest.raises(UserError, match="'NA' is what programs write"):
        read_task(path, DataSettings())
    assert read_task(path, DataSettings(kind="classes")).task.labels == ("EU", "NA")
