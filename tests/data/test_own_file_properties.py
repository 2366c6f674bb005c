"""Own files drawn at random: read as pandas and the csv module read them, or refused in one line.

Hypothesis writes small files: separators, quoting, encodings, blank lines, empty and long rows, odd
headers and labels. A file with nothing in it that we refuse must be read; every other one is read
as the csv module (or json) reads it, or refused with a message that names the file and a line,
column or value.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunebench.config import DataSettings
from tunebench.data.own_file import read_task
from tunebench.data.table import Table, read_table
from tunebench.errors import UserError

LONGEST_MESSAGE = 1_000
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252")
ODD = [
    "",
    " ",
    "NA",
    "null",
    "1,5",
    "-1",
    "1.0",
    "1e999",
    "٣",
    "=1+1",
    "a\u2028b",
    "a\x85b",
    "\x1f",
]
WORDS = st.sampled_from(["good", "bad film", "so-so", "ja", "é"])
CELLS = st.one_of(
    WORDS,
    st.sampled_from(ODD),
    st.text(st.sampled_from("ab ,;\t|\"'\n\rü\u2028€"), max_size=6),
    st.text(st.characters(codec="utf-8"), max_size=4),
)
LABELS = st.one_of(
    st.sampled_from(["yes", "no"]),
    st.sampled_from(["0", "1", "2"]),
    st.sampled_from(["0.5", "1", "2.25"]),
    st.sampled_from(ODD),
)
HEADERS = st.one_of(
    st.just(["text", "label"]),
    st.just(["text", "label", "id"]),
    st.lists(
        st.one_of(st.sampled_from(["text", "label", "id", "a,b", " label", "", "x\ny"]), CELLS)
    )
    .filter(bool)
    .map(lambda names: names[:4]),
)


@dataclass(frozen=True)
class Written:
    """A file as it was written."""

    name: str
    content: bytes
    rows: Sequence[Sequence[object]]
    """The header, then each row, those without a single character left out."""
    separator: str = ","
    refusable: list[str] = field(default_factory=list)
    """Why it may be refused; nothing means that it must be read."""


@st.composite
def tables(draw: st.DrawFn) -> Written:
    """A CSV or TSV file."""
    header = draw(HEADERS)
    row = st.tuples(*(LABELS if name == "label" else CELLS for name in header)).map(list)
    rows = draw(st.lists(row, max_size=8))
    ending = draw(st.sampled_from([".csv", ".csv", ".tsv"]))
    separator = "\t" if ending == ".tsv" else draw(st.sampled_from(",,,;;\t|"))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    line_end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    refusable = []
    if ending == ".tsv":
        header, *rows = [
            [re.sub(r"[\t\r\n]", " ", cell) for cell in one] for one in [header, *rows]
        ]
        if line_end == "\r":
            refusable.append("a .tsv file with old line ends")
        if len(header) == 1 and re.search("[,;]", header[0]):
            refusable.append("a .tsv file with commas")
    written = []
    for cells in [header, *rows]:
        if ending == ".tsv":
            written.append("\t".join(cells))
            continue
        line = io.StringIO()
        csv.writer(line, delimiter=separator, quoting=quoting, lineterminator="\r\n").writerow(
            cells
        )
        written.append(line.getvalue().removesuffix("\r\n"))
    if ending == ".csv" and (len(header) == 1 or separator == "|" or _ambiguous(written[0])):
        refusable.append("it is not clear what separates the columns")
    if ending == ".tsv" and not written[0].strip():
        refusable.append("a header without a name")
    if not any(name.strip() for name in header):
        refusable.append("a header without a name")
    if draw(st.integers(0, 9)) == 0 and len(written) > 1:
        place = draw(st.integers(1, len(written) - 1))
        written[place] += draw(st.sampled_from([f"{separator}more", '"', "\0"]))
        refusable.append("one row has a mistake")
    for _ in range(draw(st.integers(0, 3))):
        blank = draw(st.sampled_from(["", "", "  ", separator * (len(header) - 1)]))
        written.insert(draw(st.integers(0, len(written))), blank)
    text = line_end.join(written) + draw(st.sampled_from([line_end, ""]))
    content, encoding = _encoded(draw, text)
    if encoding not in ("utf-8", "utf-8-sig") or "\0" in text:
        refusable.append("no UTF-8, or a NUL byte")
    full = [cells for cells in rows if any(cell.strip() for cell in cells)]
    if not full:
        refusable.append("no rows")
    return Written(f"own{ending}", content, [header, *full], separator, refusable)


def _ambiguous(header: str) -> bool:
    """Whether more than one separator stands outside the header's quotes."""
    outside = re.sub(r'"[^"]*"', "", header)
    return sum(separator in outside for separator in ",;\t") > 1


def _encoded(draw: st.DrawFn, text: str) -> tuple[bytes, str]:
    encoding = draw(st.sampled_from(["utf-8"] * 8 + list(ENCODINGS)))
    try:
        return text.encode(encoding), encoding
    except UnicodeEncodeError:
        return text.encode("utf-8"), "utf-8"


@st.composite
def json_lines(draw: st.DrawFn) -> Written:
    """A file of JSON lines."""
    keys = draw(HEADERS)
    value = st.one_of(
        CELLS,
        LABELS,
        st.sampled_from([None, True, 0, 1.5, 10**30, float("nan"), [1], {"a": 1}, "\ud800"]),
    )
    one = st.dictionaries(st.sampled_from(keys), value, max_size=4)
    objects = draw(st.lists(one, max_size=8))
    ascii_only = draw(st.booleans())
    written = []
    for each in objects:
        line = json.dumps(each, ensure_ascii=ascii_only or "\ud800" in each.values())
        written.append(line)
    refusable = []
    if written and draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(written) - 1))
        broken = ["{", "[1]", '{"text": 1, "text": 2}', "[" * 2_000, "1", '{"a": 1e9', "\0"]
        written[place] = draw(st.sampled_from(broken))
        refusable.append("one line has a mistake")
    if draw(st.booleans()):
        written.insert(draw(st.integers(0, len(written))), draw(st.sampled_from(["", "  "])))
    text = "\n".join(written) + draw(st.sampled_from(["\n", ""]))
    content, encoding = _encoded(draw, text)
    if encoding not in ("utf-8", "utf-8-sig"):
        refusable.append("no UTF-8")
    columns = list(dict.fromkeys(key for each in objects for key in each))
    rows = [[each.get(column) for column in columns] for each in objects]
    full = [row for row in rows if any(c is not None and not _is_blank(c) for c in row)]
    if not full:
        refusable.append("no rows")
    return Written("own.jsonl", content, [columns, *full], refusable=refusable)


def _is_blank(cell: object) -> bool:
    return isinstance(cell, str) and not cell.strip()


def check_refusal(error: UserError, written: Written) -> None:
    """One or two lines that name the file, and a line, a column, a byte or a value of it."""
    message = str(error)
    assert len(message.splitlines()) <= 2, message
    assert len(message) <= LONGEST_MESSAGE, message
    assert written.name in message or "task 'own-file'" in message or "'own'" in message, message
    place = r":\d+: |column|key|byte offset|empty|no rows|rows of|row|label|text"
    assert re.search(place, message), message


def check_table(table: Table, written: Written) -> None:
    """What was read is what the csv module, pandas, and whoever wrote the file say."""
    text = written.content.decode("utf-8-sig")
    read = [list(table.columns), *map(list, table.rows)]
    if written.name.endswith(".jsonl"):
        parsed = [json.loads(line) for line in text.split("\n") if line.strip()]
        keys = list(dict.fromkeys(key for each in parsed for key in each))
        rows = [[each.get(column) for column in keys] for each in parsed]
        full = [row for row in rows if any(c is not None and not _is_blank(c) for c in row)]
        columns, *full = without_nameless([keys, *full])
        assert repr(read) == repr([columns, *full])
        for line, row in zip(table.lines, table.rows, strict=True):
            each = json.loads(text.split("\n")[line - 1])
            assert repr([each.get(column) for column in columns]) == repr(list(row))
        return
    is_tsv = written.name.endswith(".tsv")
    separators = [written.separator] if not written.refusable else [*",;\t|"]
    every = [_csv_module(text, separator, is_tsv) for separator in separators]
    assert any(read == without_nameless(rows) for rows in every if rows)
    if not written.refusable:
        assert read == without_nameless(written.rows)
        # After a blank line that ends in a lone \\r, pandas 3.1 loses the next row's first cell.
        if not re.search("\\r(?!\\n)", text):
            assert read == without_nameless(_pandas(text, written.separator, is_tsv))
    if len(table.columns) < len(written.rows[0]):
        return  # the first cell of a row may be gone
    # A row begins in the line that the table names; a cell may span several.
    physical = re.split("\r\n|\r|\n", text) if not is_tsv else text.split("\n")
    for line, row in zip(table.lines, table.rows, strict=True):
        first = re.split("[\r\n]", str(row[0]))[0]
        assert first.replace('"', "") in physical[line - 1].replace('"', "")


def without_nameless(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Header and rows without the columns that have neither a name nor a cell."""
    if any(len(row) != len(rows[0]) for row in rows):
        return [list(row) for row in rows]
    kept = [
        column
        for column in range(len(rows[0]))
        if any(row[column] is not None and not _is_blank(row[column]) for row in rows)
    ]
    return [[row[column] for column in kept] for row in rows]


def _csv_module(text: str, separator: str, is_tsv: bool) -> list[list[str]]:
    quoting = csv.QUOTE_NONE if is_tsv else csv.QUOTE_MINIMAL
    stream = io.StringIO(text, newline="")
    rows = list(csv.reader(stream, delimiter=separator, quoting=quoting))
    return [row for row in rows if any(cell.strip() for cell in row)]


def _pandas(text: str, separator: str, is_tsv: bool) -> list[list[str]]:
    frame = pd.read_csv(
        io.BytesIO(text.encode()),
        sep=separator,
        header=None,
        dtype=str,
        keep_default_na=False,
        na_filter=False,
        quoting=csv.QUOTE_NONE if is_tsv else csv.QUOTE_MINIMAL,
        lineterminator="\n" if is_tsv and "\r" not in text else None,
        encoding="utf-8",
    )
    rows = [list(map(str, row)) for row in frame.itertuples(index=False)]
    return [row for row in rows if any(cell.strip() for cell in row)]


def check_file(folder: Path, written: Written) -> str:
    """Read a file as a table and as a task; give what became of it."""
    path = folder / written.name
    path.write_bytes(written.content)
    try:
        table = read_table(path)
    except UserError as error:
        check_refusal(error, written)
        if not written.refusable:
            raise
        return "refused"
    check_table(table, written)
    try:
        data = read_task(path, DataSettings())
    except UserError as error:
        check_refusal(error, written)
        return "a table, refused as a task"
    assert all("\n" not in note and len(note) <= LONGEST_MESSAGE for note in data.notes)
    column = {name: list(table.columns).index(name) for name in (*data.task.text, data.task.label)}
    row_of = dict(zip(table.lines, table.rows, strict=True))
    assert len({*data.train.ids, *data.test.ids}) == len(table.rows)
    assert sorted([*data.train.lines, *data.test.lines]) == sorted(table.lines)
    for part in (data.train, data.test):
        for line, texts, label in zip(part.lines, part.texts, part.labels, strict=True):
            row = row_of[line]
            assert list(texts) == [row[column[name]] for name in data.task.text]
            cell = row[column[data.task.label]]
            if data.task.labels:
                shown = cell if isinstance(cell, str) else json.dumps(cell)
                assert data.task.labels[int(label)] == shown
            else:
                assert label == float(str(cell))
    return "a task"


ON_DISK = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=25, deadline=None, suppress_health_check=ON_DISK)
@given(written=st.one_of(tables(), json_lines()))
def test_a_file_is_read_as_the_csv_module_does_or_refused(tmp_path: Path, written: Written) -> None:
    check_file(tmp_path, written)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=ON_DISK)
@given(written=st.one_of(tables(), tables(), json_lines()))
def test_500_files_are_read_as_the_csv_module_does_or_refused(
    tmp_path: Path, written: Written
) -> None:
    check_file(tmp_path, written)
