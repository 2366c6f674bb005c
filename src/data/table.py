"""A user's own file as a table: TSV, CSV or JSON lines, every row with its line number.

The ending says which. TSV is never quoted; CSV is, by the rules of Python's `csv` with unbalanced
quotes refused; a JSON line is one object, and the columns are all keys that occur.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..text import one_line, plural, quoted
from .files import find_column, lines, read_text, tab_rows
from .tasks import TABLE_ENDINGS

_LONGEST_FIELD = 64 * 1024 * 1024
_FREE_CELLS = 1_000_000
_CELLS_PER_CHARACTER = 20
"""Lines of JSON may leave keys out, so a small file could ask for a table without bound: more cells
than these are read only where the file is as large as such a table."""


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
    columns, rows, nameless = _without_nameless(columns, rows)
    if nameless:
        notes = (*notes, f"{path.name}: {plural(nameless, 'column')} without name and cells")
    if empty := len(every) - len(rows):
        notes = (*notes, f"{path.name}: {empty} empty {'row' if empty == 1 else 'rows'} skipped")
    return Table(
        path, columns, tuple(line for line, _ in rows), tuple(row for _, row in rows), notes
    )


def _is_empty(row: tuple[object, ...]) -> bool:
    """Whether nothing stands in any cell."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in row)


def _without_nameless(columns: tuple[str, ...], rows: _Rows) -> tuple[tuple[str, ...], _Rows, int]:
    """The table without the columns that have neither a name nor a cell, and their number.

    A separator at the end of each line makes such a column.
    """
    kept = [
        number
        for number, name in enumerate(columns)
        if name.strip() or not _is_empty(tuple(row[number] for _, row in rows))
    ]
    if len(kept) == len(columns):
        return columns, rows, 0
    cells = [(line, tuple(row[number] for number in kept)) for line, row in rows]
    return tuple(columns[number] for number in kept), cells, len(columns) - len(kept)


_Rows = list[tuple[int, tuple[object, ...]]]
_Read = tuple[tuple[str, ...], _Rows, tuple[str, ...]]
"""Columns, rows with their line numbers (empty ones too), and notes."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""What spreadsheets put between the columns of a CSV file; the first is the usual one."""


_NAMED_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?')
"""A first line by which a spreadsheet learns the separator."""


def _tsv(path: Path, text: str) -> _Read:
    for number, line in enumerate(lines(text), start=1):
        if "\r" in line:
            raise UserError(f"{path}:{number}: a carriage return inside a line; end lines with \\n")
    (first, header), *rows = _from_header(path, tab_rows(path, text, skip_blank=True))
    if len(header) == 1 and ("," in header[0] or ";" in header[0]):
        raise UserError(
            f"{path}:{first}: the columns of a .tsv file are separated by tabs, but the header has "
            f"none; name a file with commas or semicolons .csv"
        )
    return tuple(header), [(line, tuple(fields)) for line, fields in rows], ()


def _csv(path: Path, text: str) -> _Read:
    first, end, rest = text.partition("\n")
    named = _NAMED_SEPARATOR.fullmatch(first.removesuffix("\r"))
    if named:
        # A blank line in its place is passed over, and the lines keep their numbers.
        text = end + rest
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        separator = named[1] if named else _separator(path, text)
        (_, header), *rows = _csv_table(path, text, separator)
    finally:
        csv.field_size_limit(limit)
    separated = () if separator == "," else (f"columns separated by {SEPARATORS[separator]}",)
    notes = tuple(f"{path.name}: {note}" for note in separated)
    return tuple(header), [(line, tuple(fields)) for line, fields in rows], notes


def _separator(path: Path, text: str) -> str:
    """What stands between the columns of a CSV file.

    It is what divides the header, quotes heeded. Where several could be it (`text;score, in %`), it
    is the first that divides every row as it divides the header.
    """
    dividing = [separator for separator in SEPARATORS if _divides(path, text, separator)]
    if len(dividing) > 1:
        for separator in dividing:
            try:
                _csv_table(path, text, separator)
            except UserError:
                continue
            return separator
    return dividing[0] if dividing else ","


def _divides(path: Path, text: str, separator: str) -> bool:
    """Whether the header has more than one column with this separator."""
    try:
        for _, fields in _csv_rows(path, text, separator):
            if not _is_empty(tuple(fields)):
                return len(fields) > 1
    except UserError:
        pass
    return False


def _csv_table(path: Path, text: str, separator: str) -> list[tuple[int, list[str]]]:
    """Header and rows with their lines; each row is as wide as the header, or empty.

    Raises:
        UserError: for the first row that is neither, or is no CSV.
    """
    table = _from_header(path, _csv_rows(path, text, separator))
    width = len(table[0][1])
    rows = [fields for _, fields in table[1:] if not _is_empty(tuple(fields))]
    if rows and all(len(fields) == width + 1 and not fields[-1] for fields in rows):
        # Every row ends in a separator, but the header does not: nothing stands behind it.
        table = [(line, fields[:width]) for line, fields in table]
    for line, fields in table:
        if len(fields) != width and not _is_empty(tuple(fields)):
            by = SEPARATORS[separator].removesuffix("s")
            raise UserError(
                f"{path}:{line}: every row must have {width} {by}-separated fields, "
                f"but this one has {len(fields)}"
            )
    return table


def _csv_rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    begins = 1
    try:
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        reason = str(error)
        if reason == "unexpected end of data":
            reason = "a quote that opens in it is never closed"
        raise UserError(f"{path}:{begins}: a row that is not CSV: {reason}") from None


def _from_header(path: Path, rows: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows from the header on: it is the first row in which anything stands."""
    table = list(itertools.dropwhile(lambda row: _is_empty(tuple(row[1])), rows))
    if not table:
        raise UserError(f"{path}: no row names the columns")
    return table


def _jsonl(path: Path, text: str) -> _Read:
    objects = [
        _object(f"{path}:{number}", line) if line.strip() else {}
        for number, line in enumerate(lines(text), start=1)
    ]
    columns = tuple(dict.fromkeys(key for one in objects for key in one))
    if len(columns) * len(objects) > _FREE_CELLS + _CELLS_PER_CHARACTER * len(text):
        raise UserError(
            f"{path}: its {len(objects)} lines have {len(columns)} different keys, the first of "
            f"them {quoted(columns[0])}; the lines of a table have the same keys"
        )
    rows: _Rows = [
        (number, tuple(one.get(column) for column in columns))
        for number, one in enumerate(objects, start=1)
    ]
    return columns, rows, ()


def _object(place: str, line: str) -> dict[str, object]:
    """The object of a line, whose keys are text and each stand there once."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = dict(pairs)
        if len(keys) < len(pairs):
            names = [key for key, _ in pairs]
            twice = next(key for key in names if names.count(key) > 1)
            raise UserError(f"{place}: the key {quoted(twice)} stands there more than once")
        return keys

    try:
        parsed = json.loads(line, object_pairs_hook=once)
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not JSON: {one_line(str(error))}") from None
    if not isinstance(parsed, dict):
        raise UserError(f"{place}: every line must be a JSON object, but this one is not")
    for key in parsed:
        if has_half_pair(key):
            raise UserError(f"{place}: the key {quoted(key)} has {HALF_PAIR}")
    return parsed


HALF_PAIR = "half a surrogate pair, which is no character"


def has_half_pair(text: str) -> bool:
    """Whether a text of JSON has half a surrogate pair, which no file can hold as UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in text)
