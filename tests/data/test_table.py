"""The formats of a user's own file, and one clear message for each mistake."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tunebench.config import DataSettings
from tunebench.data.own_file import read_table, read_task
from tunebench.errors import UserError

from tests.data.small_tables import tsv

ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=10)


def test_csv_quotes_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('text,label\n"a, ""b""\nc",1\nplain,0\nmore,1\nlast,0\nx,1\ny,0\n', newline="")
    table = read_table(path)
    assert table.rows[0] == ('a, "b"\nc', "1")
    assert table.lines == (2, 4, 5, 6, 7, 8)


def test_tsv_quotes_are_ordinary_characters(tmp_path: Path) -> None:
    table = read_table(tsv(tmp_path / "q.tsv", [('"open', "1"), ('""', "0")]))
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
    "commas and semicolons between tabs": (
        "tsv",
        "text, all of it\tlabel;class\na\t1\n",
        ("text, all of it", "label;class"),
        (2,),
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


@pytest.mark.parametrize("spare", [0, 1])
def test_lines_of_json_make_a_table_as_large_as_their_file_allows(
    tmp_path: Path, spare: int
) -> None:
    # A million cells, and twenty more for each character; one cell above that is refused.
    keys, count = 101, 12_581
    length = (keys * count - 1_000_000 - 1) // 20
    assert keys * count == 1_000_000 + 20 * length + 1
    one = json.dumps({f"k{n:03d}": 1 for n in range(keys)}, separators=(",", ":"))
    padding = " " * (length + spare - count - len(one))
    (tmp_path / "x.jsonl").write_text("\n" * (count - 1) + one + padding + "\n")
    if spare:
        assert read_table(tmp_path / "x.jsonl").lines == (count,)
        return
    with pytest.raises(UserError, match=f"its {count} lines have {keys} different keys"):
        read_table(tmp_path / "x.jsonl")
