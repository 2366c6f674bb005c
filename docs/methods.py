"""Makes docs/methods.md from what the method files say of themselves: `python docs/methods.py`.

What was measured of a method comes from `src/methods/measured.json`. A test holds that the file in
the repository is the one that this makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt
from tunebench.config import Choice, Range
from tunebench.methods import names
from tunebench.methods._catalogue import HEADINGS, Card, card, compared
from tunebench.methods._settings import Setting

PAGE = Path(__file__).with_name("methods.md")
TOP = """# The methods

Made by `python docs/methods.py` from the files in `src/methods/`: what is wrong here is mended
there. `tunebench methods NAME` prints the same.

What was measured comes from `src/methods/measured.json`, as do the tables of
[results.md](results.md): it is edited there, and nowhere else.

One letter means one thing throughout: `d` the width, `p` virtual tokens, `m` the bottleneck, `r`
the rank, `h` the width inside an encoder, `L` layers, `g e` the width of keys (heads that have
keys, times their size). *Trains* counts weights without the head. A setting with a range is
searched; one without is a default until it is pinned, listed or given a range
(`--methods.lora.rank=[4,16]`).
"""
SIGNS = {Gt: " above {0.gt}", Ge: " from {0.ge}"}
"""Bounds of a number, in words."""
USUAL = (
    "A comparison that names no methods has: {}.\n\n"
    "The others join by name, or all with `--methods all`: {}."
)


def page() -> str:
    """The whole page."""
    usual = compared()
    others = [name for name in names() if name not in usual]
    listed = USUAL.format(*(", ".join(map(_link, group)) for group in (usual, others)))
    return "\n".join([TOP, listed, *(_method(card(name)) for name in (*usual, *others))])


def _link(name: str) -> str:
    return f"[{_text(name)}](#{name})"


def _method(method: Card) -> str:
    """One method: title, formula, header, settings."""
    _, colon, about = method.title.partition(": ")
    title = about[:1].upper() + about[1:] if colon else method.title
    header = _table(("", ""), ((f"**{key}**", _text(method.header[key])) for key in HEADINGS))
    rows = (
        (f"`{s.name}`", f"`{_value(s.default)}`", _range(s), _text(s.about))
        for s in method.settings.values()
    )
    settings = _table(("setting", "default", "range", "meaning"), rows)
    parts = [f"\n## {_text(method.name)}", _text(title), f"```\n{method.formula}\n```"]
    return "\n\n".join([*parts, header, settings])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _range(setting: Setting) -> str:
    """What a search chooses from, or what may be pinned."""
    match setting.range:
        case Choice(values=values):
            return "searched: " + ", ".join(f"`{_value(value)}`" for value in values)
        case Range(low=low, high=high, log=log):
            return f"searched: {low:g} to {high:g}{', logarithmic' if log else ''}"
    kind, *bounds = get_args(setting.annotation) or (setting.annotation,)
    if get_origin(setting.annotation) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in (kind, *bounds))
    if kind is bool:
        return "`true` or `false`"
    shown = "".join(SIGNS[type(bound)].format(bound) for bound in bounds if type(bound) in SIGNS)
    return f"`{setting.written}`{shown}"


def _value(value: object) -> str:
    """A value as YAML writes it."""
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def _text(text: str) -> str:
    """A text as Markdown shows it, what stands in backticks as it is."""
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"([\\*_|<>])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)


if __name__ == "__main__":
    PAGE.write_text(page() + "\n", "utf-8")
