"""Mistakes in the bytes of a file, drawn by a seed: cut, changed, or its header edited."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import struct
from collections.abc import Callable, Sequence
from typing import Any

ODD: Sequence[Any] = (
    None, True, -1, 0, 1, 2**31, 2**62, 10**30, -(2**63), 0.5, -0.0, float("nan"), float("inf"),
    1e308, "", "x", "../../x", "\ud800", "ü\n", [], [1], {}, {"a": 1}, [[]],
)  # fmt: skip
"""Values that stand where others should."""
LENGTHS = (0, 1, 2**31 - 1, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**64 - 1)


def damaged(content: bytes, kind: str, seed: int) -> bytes:
    """The content with a few mistakes, which the seed alone decides."""
    draw = random.Random(f"{kind}/{seed}")
    ways: list[Callable[[bytes, random.Random], bytes]] = [_flip, _cut, _repeat, _numbers]
    if kind.endswith(".safetensors"):
        ways += [_safetensors] * 6
    elif kind.endswith((".json", ".jsonl")):
        ways += [_json_bytes] * 6
    elif kind.endswith((".yaml", ".csv", "latest")):
        ways += [_text] * 4
    elif kind.endswith(".db"):
        ways += [_sqlite] * 6
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice(ways)(content, draw)
    return content


def _flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    # Headers stand first, and say more than what follows.
    reach = draw.choice((64, 1_024, len(changed)))
    for _ in range(draw.choice((1, 2, 16))):
        if changed:
            changed[draw.randrange(min(reach, len(changed)))] = draw.randrange(256)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.choice((0, 1, 8, 9, draw.randrange(len(content) + 1), len(content) - 1))]


def _repeat(content: bytes, draw: random.Random) -> bytes:
    begin, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[begin:end][:4_096] + content[end:]


def _numbers(content: bytes, draw: random.Random) -> bytes:
    """An eight-byte or four-byte number somewhere, often in the header, is another."""
    size, code = draw.choice(((8, "<Q"), (4, "<I")))
    place = draw.randrange(max(1, min(draw.choice((32, 512, len(content))), len(content) - size)))
    number = draw.choice(LENGTHS) % 2 ** (8 * size)
    return content[:place] + struct.pack(code, number) + content[place + size :]


def _text(content: bytes, draw: random.Random) -> bytes:
    signs = (b"\n", b"\t", b":", b"- ", b"[" * 5_000, b"{", b'"', b"&a *a", b"!!python/object:x ",
             b"\0", b"\xff\xfe", b"9" * 5_000, b"1e999", b"../", b"%", b"? ", b"<<: ")  # fmt: skip
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.choice(signs) + content[place + draw.choice((0, 1, 5)) :]


def _safetensors(content: bytes, draw: random.Random) -> bytes:
    """The header with other shapes, types or places, or another length before it."""
    try:
        length = int.from_bytes(content[:8], "little")
        header, body = content[8 : 8 + length], content[8 + length :]
        changed = _json_bytes(header, draw)
    except ValueError:
        return _flip(content, draw)
    length = len(changed) if draw.random() < 0.9 else draw.choice(LENGTHS)
    return length.to_bytes(8, "little") + changed + body


def _json_bytes(content: bytes, draw: random.Random) -> bytes:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return _flip(content, draw)
    if draw.random() < 0.1:
        deep = 5_000
        return b"[" * deep + b"]" * deep if draw.random() < 0.5 else b'{"a":' * deep
    for _ in range(draw.choice((1, 1, 2))):
        value = _json_value(value, draw)
    text = json.dumps(value)
    if draw.random() < 0.1 and '":' in text:
        key = text[text.index('"') :].partition(":")[0]
        text = text.replace("{", f"{{{key}: 1, ", 1)
    return text.encode("utf-8", "surrogatepass")


def _json_value(value: Any, draw: random.Random) -> Any:
    """The value with one place in it changed."""
    if isinstance(value, dict) and value and draw.random() < 0.92:
        key = draw.choice(sorted(value))
        action = draw.random()
        if action < 0.08:
            return {name: each for name, each in value.items() if name != key}
        if action < 0.14:
            return {**value, draw.choice(("", "more", "\ud800", key.upper(), "a" * 5_000)): 1}
        return {**value, key: _json_value(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.85:
        place = draw.randrange(len(value))
        return [*value[:place], _json_value(value[place], draw), *value[place + 1 :]]
    if isinstance(value, str) and draw.random() < 0.5:
        return draw.choice(
            ("F64", "I64", "BF16", "F8_E4M3", "BOOL", "relu", "auto", value * 50, "é")
        )
    if isinstance(value, int) and draw.random() < 0.3:
        return value + draw.choice((-1, 1, 10**6))
    return draw.choice(ODD)


def _sqlite(content: bytes, draw: random.Random) -> bytes:
    """A table is gone, empty or has another column, or cells hold what they should not."""
    # A database in memory has no log beside it: these two bytes say that it needs one.
    plain = content[:18] + b"\1\1" + content[20:]
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.deserialize(plain)
            database.execute("PRAGMA ignore_check_constraints = ON")
            _change_table(database, draw)
            database.commit()
            return database.serialize()
        except (sqlite3.Error, OverflowError, ValueError, IndexError):
            return _flip(content, draw)


def _change_table(database: sqlite3.Connection, draw: random.Random) -> None:
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    every = [name for (name,) in names if not name.startswith("sqlite_")]
    full = [n for n in every if database.execute(f'SELECT count(*) FROM "{n}"').fetchone()[0]]
    action = draw.random()
    table = draw.choice(full if full and action > 0.2 else every)
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    column = draw.choice(columns)
    if action < 0.15:
        database.execute(f'DROP TABLE "{table}"')
    elif action < 0.25:
        database.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO another')
    elif action < 0.4:
        database.execute(f'DELETE FROM "{table}"')
    else:
        value = draw.choice((None, "", "x", -1, 2**62, 1e308, b"\xff", "x" * 5_000, "../x", "[]"))
        where = draw.choice(("", f' WHERE rowid = (SELECT max(rowid) FROM "{table}")'))
        database.execute(f'UPDATE "{table}" SET "{column}" = ?{where}', (value,))
