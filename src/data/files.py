"""Text files as rows: decoding, tab-separated lines, columns found by name.

A tab-separated file is never quoted (as GLUE's are not): a double quote is an ordinary
character, so no row can swallow the next. Whatever is wrong is one sentence that names the
file and the line, column or byte.
"""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import UserError
from ..text import quoted

MOST_LISTED = 20
"""Columns that a message lists."""


_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks; that of UTF-32 begins with that of UTF-16."""
_OTHER_FILES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "an SQLite database",
}
"""How files begin that are often named like a table."""


def read_text(path: Path) -> str:
    """The file's text, without a byte order mark.

    Raises:
        UserError: no such file (what lies beside it is listed), not readable, empty, not UTF-8,
            or a NUL byte; the last two with the byte's offset.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file ({beside(path)})") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read: {reason}") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 at byte offset {error.start} (0x{raw[error.start]:02x})"
            f"{_probable(raw)}"
        ) from None
    if "\0" in text:
        hint = _probable(raw) or "; text has none"
        raise UserError(f"{path}: a NUL byte at byte offset {raw.index(0)}{hint}")
    text = text.removeprefix(codecs.BOM_UTF8.decode("utf-8"))
    if not text.strip():
        raise UserError(f"{path}: the file is empty")
    return text


def _probable(raw: bytes) -> str:
    """What a file that is no UTF-8 probably is, and what to do, as the rest of a sentence."""
    for beginning, kind in _OTHER_FILES.items():
        if raw.startswith(beginning):
            return f"; it is {kind}, not text"
    encoding = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "")
    if not encoding:
        encoding = _unmarked(raw)
    if encoding:
        return f"; it is probably {encoding}: save it as UTF-8"
    return "" if b"\0" in raw else "; save it as UTF-8"


def _unmarked(raw: bytes) -> str:
    """The likeliest encoding of bytes without a mark; empty where none is likely."""
    for name, low in (("UTF-16-LE", 1), ("UTF-16-BE", 0)):
        # Western text in UTF-16 has a zero in nearly every pair of bytes.
        if raw[low::2].count(0) > 0.4 * len(raw) / 2 and raw[1 - low :: 2].count(0) == 0:
            return name
    try:
        text = raw.decode("windows-1252")
    except UnicodeDecodeError:
        return ""
    return "Windows-1252" if "\0" not in text else ""


def lines(text: str) -> list[str]:
    r"""The lines of a text that ends its lines with `\n` or `\r\n`; an unfinished last one counts.

    Only these end a line: characters such as U+2028 stand inside texts.
    """
    ended = text.split("\n")
    if not ended[-1]:
        ended.pop()
    return [line.removesuffix("\r") for line in ended]


def tab_rows(
    path: Path, text: str, width: int | None = None, *, skip_blank: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each line, the header's included.

    Args:
        path: the file, for messages.
        text: what `read_text` gave.
        width: how many fields a line must have; none takes the first line's number.
        skip_blank: whether a line of white space alone has no field, whatever the width.

    Raises:
        UserError: for the first line of another width.
    """
    for number, line in enumerate(lines(text), start=1):
        if skip_blank and not line.strip():
            yield number, []
            continue
        width = width or line.count("\t") + 1
        yield number, tab_fields(f"{path}:{number}", line, width)


def tab_fields(place: str, line: str, width: int) -> list[str]:
    """The fields of one line.

    Args:
        place: file and line, for messages.
        line: without its end.
        width: how many fields it must have.

    Raises:
        UserError: it has more or fewer.
    """
    fields = line.split("\t")
    if len(fields) != width:
        raise UserError(
            f"{place}: every line must have {width} tab-separated fields, "
            f"but this one has {len(fields)}"
        )
    return fields


def find_column(path: Path, header: Sequence[str], name: str, setting: str = "") -> int:
    """The position of a column.

    Args:
        path: the file, for messages.
        header: the column names there are.
        name: the one wanted.
        setting: the setting that asked for it, as the user typed it.

    Raises:
        UserError: where it is not there, or more than once; with a suggestion and all names.
    """
    if header.count(name) == 1:
        return header.index(name)
    names = listed(header)
    asked = f" (asked for by {setting})" if setting else ""
    if name in header:
        raise UserError(
            f"{path}: the column {quoted(name)} stands there more than once (columns: {names})"
        )
    near = difflib.get_close_matches(name.lower(), [column.lower() for column in header], n=1)
    similar = (quoted(c) for c in header if near and c.lower() == near[0])
    hint = next((f"; did you mean {c}?" for c in similar), "")
    raise UserError(f"{path}: no column {quoted(name)}{asked}{hint} (columns: {names})")


def listed(names: Sequence[str]) -> str:
    """The first names of columns for a message, each short and on one line."""
    shown = ", ".join(quoted(name, 30) for name in names[:MOST_LISTED])
    return shown + (", …" if len(names) > MOST_LISTED else "")


def beside(path: Path) -> str:
    """What lies in the folder where a missing path should be, as a phrase for a message."""
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    names = sorted(f"{one.name}/" if one.is_dir() else one.name for one in folder.iterdir())
    near = difflib.get_close_matches(path.name, [name.rstrip("/") for name in names], n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"{hint}{folder} holds: {shown or 'nothing'}"
