r"""A template: a task in a sentence, with places for soft tokens and for the word that answers.

    Review: {sentence}[P]\nSentiment:           a decoder: the word comes next
    {sentence1}? [MASK], {sentence2}            an encoder: the word stands in the mask

`{sentence1}` and `{sentence2}` are a task's first and second text; its own column names do too.
`[P]` is the place of a soft token: a method may fill it with virtual tokens, and it is nothing
otherwise; spaces before it belong to it. Braces themselves are written twice, and a shell's \n is
a line break.

Nothing here imports torch. Source: Liu et al. 2021, arXiv:2103.10385, §3.2 (soft tokens, anchors).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import UserError
from ..tasks import Task

Mark = Literal["soft token", "mask"]
_TOKENS = re.compile(r"(\{\{|\}\}|\{[^{}]*\}| *\[P\]|\[MASK\])")


@dataclass(frozen=True)
class Literally:
    """Words of the template itself."""

    text: str


@dataclass(frozen=True)
class Column:
    """A text of the task: the first (0) or the second (1)."""

    number: int


Part = Literally | Column | Mark


@dataclass(frozen=True)
class Filled:
    """A template with a row's texts in it; places are counted in characters."""

    text: str
    columns: tuple[tuple[int, int], ...]
    """Where each text begins and ends, in the order of the template."""
    soft_token_positions: tuple[int, ...]
    mask: int | None


@dataclass(frozen=True)
class Template:
    """A parsed template."""

    written: str
    """As the user typed it, with its line breaks and without spaces at its end."""
    parts: tuple[Part, ...]

    @property
    def soft_tokens(self) -> int:
        """How many places there are for virtual tokens."""
        return self.parts.count("soft token")

    def fill(self, texts: Sequence[str], mask: str = "") -> Filled:
        """The text of a row: its columns put in, its mask as the tokenizer writes it."""
        text, columns, places, masked = "", list[tuple[int, int]](), list[int](), None
        for part in self.parts:
            begin = len(text)
            if isinstance(part, Literally):
                text += part.text
            elif isinstance(part, Column):
                text += texts[part.number]
                columns.append((begin, len(text)))
            elif part == "soft token":
                places.append(begin)
            else:
                text, masked = text + mask, begin
        return Filled(text, tuple(columns), tuple(places), masked)


def parse(written: str, task: Task, *, causal: bool) -> Template:
    """The template that is written so, for a task on a decoder (`causal`) or on an encoder.

    Raises:
        UserError: A column is unknown or missing, the mask is missing or too much, a brace stands
            alone, or a decoder's template does not end in text.
    """
    written = written.replace(r"\n", "\n").rstrip(" ")
    raw = [_part(token, written, task) for token in _TOKENS.split(written) if token]
    parts = _joined(raw)
    _columns(parts, written, task)
    masks = parts.count("mask")
    if causal and masks:
        raise _wrong(written, "[MASK] is for encoders: a decoder's label word comes at the end")
    if not causal and masks != 1:
        raise _wrong(written, f"an encoder's template has one [MASK], but this has {masks}")
    if causal and parts[-1] == "soft token":
        raise _wrong(written, "the label word is read from a token of text: no [P] may end it")
    return Template(written, parts)


def _part(token: str, written: str, task: Task) -> Part:
    if token in ("{{", "}}"):
        return Literally(token[0])
    if token.strip() == "[P]":
        return "soft token"
    if token == "[MASK]":
        return "mask"
    if token.startswith("{") and token.endswith("}"):
        return Column(_number(token[1:-1], written, task))
    if "{" in token or "}" in token:
        raise _wrong(written, "a brace stands alone (a brace itself is written twice)")
    return Literally(token)


def _number(name: str, written: str, task: Task) -> int:
    general = [f"sentence{number + 1}" for number in range(len(task.text))]
    known = {name: number for number, name in enumerate(general)}
    known |= {name: number for number, name in enumerate(task.text)}
    if name not in known:
        there = ", ".join(f"{{{one}}}" for one in known)
        raise _wrong(written, f"{task.name} has no column '{name}' (there are: {there})")
    return known[name]


def _joined(raw: Sequence[Part]) -> tuple[Part, ...]:
    """Neighbouring words as one part; one that begins with soft tokens begins without a space."""
    parts: list[Part] = []
    for part in raw:
        last = parts[-1] if parts else None
        if isinstance(part, Literally) and isinstance(last, Literally):
            parts[-1] = Literally(last.text + part.text)
        elif isinstance(part, Literally) and parts and all(one == "soft token" for one in parts):
            parts.append(Literally(part.text.lstrip(" ")))
        else:
            parts.append(part)
    return tuple(part for part in parts if part != Literally(""))


def _columns(parts: Sequence[Part], written: str, task: Task) -> None:
    """Every text of the task is in the template, once."""
    used = [part.number for part in parts if isinstance(part, Column)]
    for number, name in enumerate(task.text):
        if used.count(number) != 1:
            times = "lacks" if number not in used else "repeats"
            raise _wrong(written, f"it {times} the column {{{name}}} of {task.name}")


def _wrong(written: str, why: str) -> UserError:
    return UserError(f"data.template {written!r}: {why}")
