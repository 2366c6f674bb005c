"""Markdown that no name can break out of: texts escaped, tables and code blocks whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..text import one_line, redact

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def escape(text: str) -> str:
    """One line in which no character means anything to Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", redact(one_line(text)))


def table(header: Sequence[str], lines: Sequence[Sequence[str]], bold: Sequence[int] = ()) -> str:
    """A table in GitHub's manner; the first column is text, the others are numbers."""
    shown = [[escape(cell) for cell in line] for line in lines]
    for index in bold:
        shown[index] = [f"**{cell}**" if cell else "" for cell in shown[index]]
    rule = ["---", *["---:"] * (len(header) - 1)]
    every = [[escape(cell) for cell in header], rule, *shown]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)


def bullets(items: Iterable[tuple[str, str]]) -> str:
    """A list of named facts."""
    return "\n".join(
        f"- {escape(name)}: {escape(value)}" if name else f"- {escape(value)}"
        for name, value in items
    )


def code(command: str) -> str:
    """The command as a block; the fence is longer than any run of backticks inside."""
    line = redact(one_line(command))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence}\n{line}\n{fence}"
