"""Where text for people goes: standard output, as wide as its terminal or a fixed width."""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.text import Text

from ..text import one_line, redact

WIDTH = 100
"""Columns where the output has no width of its own, such as a file."""


def standard() -> Console:
    """Standard output as it is now: coloured on a terminal, plain anywhere else."""
    on_terminal = sys.stdout.isatty()
    width = None if on_terminal else WIDTH
    return Console(highlight=False, force_terminal=on_terminal, width=width)


def diagnostics() -> Console:
    """Standard error, for a command whose standard output is read by a script."""
    on_terminal = sys.stderr.isatty()
    width = None if on_terminal else WIDTH
    return Console(stderr=True, highlight=False, force_terminal=on_terminal, width=width)


def plain() -> Console:
    """A console that keeps its text; `written` gives it."""
    return Console(file=io.StringIO(), highlight=False, force_terminal=False, width=WIDTH)


def written(console: Console) -> str:
    """What was written to a console made by `plain`."""
    return console.file.getvalue() if isinstance(console.file, io.StringIO) else ""


def literal(text: str) -> Text:
    """A text that is shown as it is: no markup, no control characters, no credentials."""
    return Text(redact(one_line(text)))


def write(console: Console, text: str) -> None:
    """Write the text and flush, in the characters that the console's encoding has."""
    console.file.write(text.encode(console.encoding, "replace").decode(console.encoding))
    console.file.flush()
