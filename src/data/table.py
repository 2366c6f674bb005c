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
    notes: tuple[str, ...] = ()
    """What a reader should know of how the file was read."""

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
    columns, every, notes = reader(path, text)
    rows = [(line, row) for line, row in every if not _is_empty(row)]
    if not rows:
        raise UserError(f"{path}: a header and no rows")
    if empty := len(every) - len(rows):
        notes = (*notes, f"{path.name}: {empty} empty {'row' if empty == 1 else 'rows'} skipped")
    return Table(
        path, columns, tuple(line for line, _ in rows), tuple(row for _, row in rows), notes
    )


def _is_empty(row: tuple[object, ...]) -> bool:
    """Whether nothing stands in any cell."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in row)


_Rows = list[tuple[int, tuple[object, ...]]]
_Read = tuple[tuple[str, ...], _Rows, tuple[str, ...]]
"""Columns, rows with their line numbers (empty ones too), and notes."""
SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""What spreadsheets put between the columns of a CSV file, where it is no comma."""


def _tsv(path: Path, text: str) -> _Read:
    every = lines(text)
    for number, line in enumerate(every, start=1):
        if "\r" in line:
            raise UserError(f"{path}:{number}: a carriage return inside a line; end lines with \\n")
    # A blank line is an empty row, whatever the number of columns.
    width = every[0].count("\t")
    text = "\n".join(line if line.strip() else "\t" * width for line in every)
    (_, header), *rows = tab_rows(path, text)
    if len(header) == 1 and ("," in header[0] or ";" in header[0]):
        raise UserError(
            f"{path}:1: the columns of a .tsv file are separated by tabs, but the header has none; "
            f"name a file with commas or semicolons .csv"
        )
    return tuple(header), [(line, tuple(fields)) for line, fields in rows], ()


def _csv(path: Path, text: str) -> _Read:
    separator = _separator(lines(text)[0])
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        (_, header), *rows = _csv_rows(path, text, separator)
    finally:
        csv.field_size_limit(limit)
    by = SEPARATORS.get(separator, "commas")
    for line, fields in rows:
        if fields and len(fields) != len(header):
            raise UserError(
                f"{path}:{line}: every row must have {len(header)} "
                f"{by.removesuffix('s')}-separated fields, but this one has {len(fields)}"
            )
    notes = () if separator == "," else (f"{path.name}: columns separated by {by}",)
    return tuple(header), [(line, tuple(fields)) for line, fields in rows], notes


def _separator(header: str) -> str:
    """What stands between the columns of a CSV file: a comma, unless its header has none."""
    return next((one for one in SEPARATORS if one in header and "," not in header), ",")


def _csv_rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    begins = 1
    try:
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}:{begins}: a row that is not CSV: {error}") from None


def _jsonl(path: Path, text: str) -> _Read:
    objects = [
        _object(f"{path}:{number}", line) if line.strip() else {}
        for number, line in enumerate(lines(text), start=1)
    ]
    columns = tuple(dict.fromkeys(key for one in objects for key in one))
    rows: _Rows = [
        (number, tuple(one.get(column) for column in columns))
        for number, one in enumerate(objects, start=1)
    ]
    return columns, rows, ()


def _object(place: str, line: str) -> dict[str, object]:
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise UserError(f"{place}: every line must be a JSON object, but this one is not")
    return parsed
