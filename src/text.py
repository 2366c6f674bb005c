"""Texts for people, kept on one line and free of secrets: shared by every room that shows any."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"(\w[\w+.-]*://)\S*@")
_QUERY_SECRET = re.compile(
    r"([?&;][\w.-]*(?:pass|pwd|token|secret|key|auth|sig)[\w.-]*=)[^\s&;'\"]+", re.IGNORECASE
)


def one_line(text: str) -> str:
    """Return the text on one line, without control characters that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def quoted(value: object, most: int = 60) -> str:
    """Return a value as Python writes it, on one line, its end left out where it is long."""
    written = repr(value)
    return written if len(written) <= most else f"{written[: most - 1]}…"


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text with user names and passwords of addresses masked.

    Args:
        text: Any text that may hold an address such as `postgresql://user:password@host/db`.
        secrets: Further texts, such as a decoded password, that are masked wherever they stand.
    """
    text = _CREDENTIALS.sub(r"\1***@", text)
    text = _QUERY_SECRET.sub(r"\1***", text)
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def plural(number: int, noun: str) -> str:
    """Return the number and its noun: "one seed", "5 seeds"."""
    return f"one {noun}" if number == 1 else f"{number} {noun}s"
