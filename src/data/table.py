"""A user's own file as a table: TSV, CSV or JSON lines, every row with its line number.

The ending says which. TSV is never quoted; CSV is, by the rules of Python's `csv` with unbalanced
quotes refused; a JSON line is one object, and the columns are all keys that occur.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .files import find_column, lines, read_text, tab_rows
from .tasks import TABLE_ENDINGS

_LONGEST_FIELD = 64 * 1024 * 1024


@dataclass(frozen=True)
class Table:
    """The cells of a file; a CSV's and TSV's are strings, JSON's what was written."""

    path: Path
    columns: tuple[str, ...]
    lines: tuple[int, ...]
    """The line on which each row begins."""
    rows: tuple[tuple[object, ...], ...]

    def column(self, name: str, setting: str) -> list[object]:
        """The cells of a column; `setting` asked for it, as the user typed it.

        Raises:
            UserError: where there is no such column.
        """
        position = find_column(self.path, self.columns, name, setting)
        return [row[position] for row in self.rows]

    def place(self, row: int) -> str:
        """Where a row stands, for messages."""
        return f"{self.path}:{self.lines[row]}"


def read_table(path: Path) -> Table:
    """The table in a file.

    Raises:
        UserError: an unknown ending, a file that is missing, empty, not UTF-8, without rows, or
            with a line that is torn or not JSON; with its place.
    """
    readers = {".tsv": _tsv, ".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(TABLE_ENDINGS)
        raise UserError(f"{path}: unknown file ending '{path.suffix}' (known: {known})")
    text = read_text(path).rstrip("\r\n") + "\n"
    columns, rows = reader(path, text)
    if not rows:
        raise UserError(f"{path}: a header and no rows")
    return Table(path, columns, tuple(line for line, _ in rows), tuple(row for _, row in rows))


_Rows = list[tuple[int, tuple[object, ...]]]


def _tsv(path: Path, text: str) -> tuple[tuple[str, ...], _Rows]:
    for number, line in enumerate(lines(text), start=1):
        if "\r" in line:
            raise UserError(f"{path}:{number}: a carriage return inside a line; end lines with \\n")
    (_, header), *rows = tab_rows(path, text)
    return tuple(header), [(line, tuple(fields)) for line, fields in rows]


def _csv(path: Path, text: str) -> tuple[tuple[str, ...], _Rows]:
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        (_, header), *rows = _csv_rows(path, text)
    finally:
        csv.field_size_limit(limit)
    for line, fields in rows:
        if len(fields) != len(header):
            raise UserError(
                f"{path}:{line}: every row must have {len(header)} comma-separated fields, "
                f"but this one has {len(fields)}"
            )
    return tuple(header), [(line, tuple(fields)) for line, fields in rows]


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{begins}: a row that is not CSV: {error}") from None


def _jsonl(path: Path, text: str) -> tuple[tuple[str, ...], _Rows]:
    objects = [_object(f"{path}:{n}", line) for n, line in enumerate(lines(text), start=1)]
    columns = tuple(dict.fromkeys(key for one in objects for key in one))
    rows: _Rows = [
        (number, tuple(one.get(column) for column in columns))
        for number, one in enumerate(objects, start=1)
    ]
    return columns, rows


def _object(place: str, line: str) -> dict[str, object]:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise UserError(f"{place}: every line must be a JSON object, but this one is not")
    return parsed
