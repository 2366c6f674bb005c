"""What goes wrong by the user's hand: one sentence, no traceback, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in what was typed or in a file that was given; the text says how to mend it."""


class UnknownName(UserError):
    """A name that is not among the known ones; the text suggests the nearest and lists them all."""

    def __init__(self, kind: str, given: str, known: Iterable[str]) -> None:
        """Of which kind, what was given, and what there is."""
        names = sorted(known)
        near = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        super().__init__(f"unknown {kind} '{given}'{hint} (known: {', '.join(names)})")
        self.kind, self.given, self.known = kind, given, names
