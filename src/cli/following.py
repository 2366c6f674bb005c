"""What a command leads to: the line that goes on from what it came to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..records import Comparison
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
    pins = [f"--methods.{method}.{name}={written(value)}" for name, value in settings.items()]
    words = ["--", *line.words] if any(word.startswith("-") for word in line.words) else line.words
    if words and words[0] == "--":
        return shlex.join(["tunebench", "compare", *kept, *pins, *words])
    return shlex.join(["tunebench", "compare", *words, *kept, *pins])


def again_command(comparison: Comparison, out: Path, changed: Mapping[str, str]) -> str:
    """The line that makes a comparison again, with other values for some of its flags.

    Seeds are then fixed, so that flags for looks are left out where seeds are changed.

    Args:
        comparison: It has the line that was typed; one that came from Python has none, and gets a
            line with its tasks, methods and seeds.
        out: The folder of results.
        changed: Flag → its value.
    """
    typed = shlex.split(comparison.command)
    if typed[:2] != ["tunebench", "compare"]:
        plain = {
            "methods": ",".join(comparison.methods),
            "seeds": ",".join(map(str, comparison.seeds)),
        }
        named = [str(task) for task in comparison.experiment.get("tasks") or comparison.tasks]
        typed, changed = ["tunebench", "compare", *named], {**plain, **changed}
    dropped = {"out", *changed, *(("until", "hours") if "seeds" in changed else ())}
    kept, rest = [], typed[2:]
    ending = rest[rest.index("--") :] if "--" in rest else []
    rest = rest[: len(rest) - len(ending)]
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name.replace("_", "-") not in dropped:
            kept.append(word)
        elif not equals and rest:
            rest.pop(0)
    flags = [f"--{name}={value}" for name, value in changed.items()]
    where = [] if str(out) == "runs" else [f"--out={out}"]
    return shlex.join(["tunebench", "compare", *kept, *flags, *where, *ending])


def written(value: Any) -> str:
    """A setting as its flag takes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(written, value))
    return str(value)
