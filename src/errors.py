"""What goes wrong by the user's hand: one sentence, no traceback, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

Place = Callable[[tuple[str, ...]], str]
"""Names a setting, which is a path of keys, as the user wrote it."""
LONGEST_NAME = 80
"""Characters of an unknown name that a message repeats."""


class UserError(ValueError):
    """A mistake in what was typed or in a file that was given; the text says how to mend it."""


class CannotWrite(UserError):
    """A file or a folder cannot be written to: no permission, no room, a disk that is read alone.

    What was to be kept there is not, so that a run ends with it.
    """


class UnknownName(UserError):
    """A name that is not among the known ones; the text suggests the nearest and lists them all."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Say which kind of thing the name should have been, and which names there are."""
        names = sorted(known)
        near = difflib.get_close_matches(name[:LONGEST_NAME].lower(), names, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        super().__init__(f"unknown {kind} '{shown}'{hint} (known: {', '.join(names)})")
        self.kind, self.name, self.known = kind, name, names
