"""Decoding and tab-separated lines."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunebench.data.files import (
    MOST_LISTED,
    beside,
    find_column,
    lines,
    listed,
    read_text,
    tab_rows,
)
from tunebench.errors import UserError

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\0\ufeff"), max_size=12)
ROWS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n"]), mark=st.booleans(), last=st.booleans())
def test_rows_survive_any_line_end_byte_order_mark_and_unfinished_last_line(
    tmp_path: Path, rows: list[tuple[str, str]], end: str, mark: bool, last: bool
) -> None:
    rows = [("head", "line"), *rows]
    text = end.join("\t".join(row) for row in rows) + (end if last else "")
    path = tmp_path / "rows.tsv"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    read = list(tab_rows(path, read_text(path)))
    assert read == [(number, list(row)) for number, row in enumerate(rows, start=1)]


@pytest.mark.parametrize("inside", ["\u2028", "\x85", "\x0b", "\x1c", '"', '""'])
def test_only_line_feeds_end_lines(inside: str) -> None:
    assert lines(f"a{inside}b\nc") == [f"a{inside}b", "c"]


def test_a_byte_that_is_not_utf8_is_named_by_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "latin.tsv"
    path.write_bytes("h\tl\ncafé\t1\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.tsv: not UTF-8 at byte offset 7 \(0xe9\)"):
        read_text(path)


def test_utf16_and_nul_bytes_are_refused_with_their_offset(tmp_path: Path) -> None:
    path = tmp_path / "wide.tsv"
    path.write_bytes("a\tb\n".encode("utf-16"))
    with pytest.raises(UserError, match="byte offset 0"):
        read_text(path)
    path.write_bytes(b"a\tb\n\xc3\xa9\0\t1\n")
    with pytest.raises(UserError, match="NUL byte at byte offset 6"):
        read_text(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
def test_an_empty_file_is_called_empty(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "none.tsv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"none\.tsv: the file is empty"):
        read_text(path)


def test_a_missing_file_is_answered_with_what_lies_beside(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").touch()
    with pytest.raises(UserError, match=r"no such file \(did you mean 'train\.tsv'\? .* holds"):
        read_text(tmp_path / "trian.tsv")
    with pytest.raises(UserError, match="there is no folder"):
        read_text(tmp_path / "nowhere" / "train.tsv")
    with pytest.raises(UserError, match="cannot be read"):
        read_text(tmp_path)


def test_a_torn_line_is_named_with_both_widths() -> None:
    with pytest.raises(UserError, match=r"x\.tsv:3: .* 2 tab-separated fields, .* has 3"):
        list(tab_rows(Path("x.tsv"), "a\tb\nc\td\ne\tf\tg\n"))


def test_a_missing_column_is_answered_with_a_suggestion_and_all_columns() -> None:
    header = ["Sentence", "Label"]
    assert find_column(Path("x.tsv"), header, "Label") == 1
    with pytest.raises(UserError, match=r"no column 'lable'.*did you mean 'Label'.*'Sentence'"):
        find_column(Path("x.tsv"), header, "lable")
    with pytest.raises(UserError, match="more than once"):
        find_column(Path("x.tsv"), ["a", "a"], "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("h\tl\ncaf\u00e9\t1\n".encode("cp1252"), "probably Windows-1252: save it as UTF-8"),
        ("a\tb\n".encode("utf-16"), "probably UTF-16: save it as UTF-8"),
        ("a\tb\n".encode("utf-32"), "probably UTF-32: save it as UTF-8"),
        ("text\tlabel\ngood\tx\n".encode("utf-16-le"), "byte offset 1; it is probably UTF-16-LE"),
        ("text\tlabel\ngood\tx\n".encode("utf-16-be"), "byte offset 0; it is probably UTF-16-BE"),
        (b"PK\x03\x04\x14\x00\xff", "a ZIP archive or an Excel workbook, not text"),
        (b"\x1f\x8b\x08\x00\xff", "compressed with gzip, not text"),
        (b"PAR1\x00\xff", "a Parquet file, not text"),
    ],
)
def test_another_encoding_or_kind_of_file_is_named(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_text(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [0, 1, 20, 21])
def test_at_most_twenty_neighbours_of_a_missing_file_are_named(tmp_path: Path, count: int) -> None:
    for number in range(count):
        (tmp_path / f"{number:02d}.tsv").touch()
    names = [f"{number:02d}.tsv" for number in range(min(count, 20))] + ["…"] * (count > 20)
    holds = f"{tmp_path} holds: {', '.join(names) or 'nothing'}"
    assert beside(tmp_path / "another.csv").partition("? ")[2] in ("", holds)
    assert beside(tmp_path / "another.csv").endswith(holds)


@pytest.mark.parametrize("extra", [0, 1])
def test_columns_beyond_the_first_are_an_ellipsis(extra: int) -> None:
    names = [f"c{number}" for number in range(MOST_LISTED + extra)]
    shown = ", ".join(f"'{name}'" for name in names[:MOST_LISTED])
    assert listed(names) == shown + ", …" * extra
    # A name has room for thirty characters, its quotes included.
    assert listed(["x" * 28, "x" * 40, "y"]) == f"'{'x' * 28}', '{'x' * 28}…, 'y'"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(("western", "named"), [(4, False), (5, True)])
def test_utf16_without_a_mark_is_seen_by_the_zeros_of_western_letters(
    tmp_path: Path, encoding: str, western: int, named: bool
) -> None:
    # More than two letters in five.
    path = tmp_path / "t.csv"
    path.write_bytes(("a" * western + "中" * (10 - western)).encode(encoding))
    with pytest.raises(UserError) as caught:
        read_text(path)
    assert (f"probably {encoding.upper()}" in str(caught.value)) == named
