"""Plain text in columns, as wide as the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence


def width() -> int:
    """Characters in a line: the terminal's, between 60 and 100."""
    return max(60, min(100, shutil.get_terminal_size((100, 24)).columns))


def format_table(rows: Iterable[Sequence[str]], indent: int = 2) -> str:
    """Write rows of texts one below the other, in columns; the last column is wrapped.

    Args:
        rows: Equally many texts each.
        indent: Blanks before each line.
    """
    table = [tuple(row) for row in rows]
    if not table:
        return ""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]) - 1)]
    lines = []
    for row in table:
        head = " " * indent + "".join(
            f"{text:<{w}}  " for text, w in zip(row, widths, strict=False)
        )
        room = max(20, width() - len(head))
        last = textwrap.wrap(row[-1], room, break_on_hyphens=False) or [""]
        lines += [(head if n == 0 else " " * len(head)) + text for n, text in enumerate(last)]
    return "\n".join(line.rstrip() for line in lines)
