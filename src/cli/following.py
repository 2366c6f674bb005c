"""What `tune` leads to: the line that trains and tests the settings that it found."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from .flags import Line


def compare_command(line: Line, method: str, settings: Mapping[str, Any]) -> str:
    """The `compare` command with a method's settings pinned, everything else as it was typed.

    Args:
        line: What `tune` was given.
        method: The method that was tuned.
        settings: All of its settings, as the best trial has them.
    """
    replaced = {("search", "trials"), *(("methods", method, name) for name in settings)}
    kept = [f"{flag.typed}={flag.text}" for flag in line.flags if flag.path not in replaced]
    pins = [f"--methods.{method}.{name}={_written(value)}" for name, value in settings.items()]
    words = ["--", *line.words] if any(word.startswith("-") for word in line.words) else line.words
    if words and words[0] == "--":
        return shlex.join(["tunebench", "compare", *kept, *pins, *words])
    return shlex.join(["tunebench", "compare", *words, *kept, *pins])


def _written(value: Any) -> str:
    """A setting as its flag takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_written, value))
    return str(value)
