"""What was typed, taken apart: words, switches, and flags with their values.

`--search.trials 4` and `--search.trials=4` are the same; a hyphen in a flag's name may be an
underscore; of a flag given twice the last counts, so that a line can be mended at its end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..errors import UnknownName, UserError
from ..text import quoted

KeyPath = tuple[str, ...]
COUNT = re.compile(r"0*[1-9][0-9]{0,17}")
"""A whole number that anything here can count to."""


@dataclass(frozen=True)
class Flag:
    """One flag as it was typed."""

    path: KeyPath
    """The setting it stands for, such as `("search", "trials")`."""
    text: str
    typed: str
    """Its name as the user wrote it, with the hyphens."""


@dataclass(frozen=True)
class Line:
    """A command's arguments."""

    words: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    switches: frozenset[str] = frozenset()

    def text(self, *path: str) -> str | None:
        """The last value typed for a setting, or none."""
        return next((f.text for f in reversed(self.flags) if f.path == path), None)

    def count(self, key: str) -> int | None:
        """The whole number of at least one typed for a setting, or none.

        Raises:
            UserError: Something else was typed.
        """
        text = self.text(key)
        if text is None:
            return None
        if not COUNT.fullmatch(text):
            flag = next(f.typed for f in reversed(self.flags) if f.path == (key,))
            raise UserError(f"{flag}: must be a whole number >= 1, but got {quoted(text)}")
        return int(text)


def parse(
    arguments: Sequence[str], known: Mapping[str, KeyPath], switches: Collection[str] = ()
) -> Line:
    """Take a command's arguments apart.

    Args:
        arguments: What follows the command's name.
        known: Flag names without the leading hyphens, and the settings they stand for. With
            `methods` among them, every `--methods.<method>.<setting>` is one too.
        switches: Names of the flags that take no value.

    Raises:
        UserError: A flag is unknown, lacks its value, or has one it does not take.
    """
    words: list[str] = []
    flags: list[Flag] = []
    on: set[str] = set()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if word in ("-h", "--help"):
            on.add("help")
        elif not word.startswith("-") or word == "-":
            words.append(word)
        else:
            name, equals, text = word.partition("=")
            if _plain(name) in switches:
                on.add(_switch(name, equals, switches))
            else:
                path = _path(name, known, switches)
                flags.append(Flag(path, text if equals else _value(name, rest), name))
    return Line(tuple(words), tuple(flags), frozenset(on))


def _plain(name: str) -> str:
    return name.removeprefix("--").replace("_", "-")


def _switch(name: str, equals: str, switches: Collection[str]) -> str:
    if equals:
        raise UserError(f"{name} is a switch and takes no value")
    return _plain(name)


def _value(name: str, rest: list[str]) -> str:
    if not rest or rest[0].startswith("--"):
        raise UserError(f"{name} needs a value; write {name}=VALUE")
    return rest.pop(0)


def _path(name: str, known: Mapping[str, KeyPath], switches: Collection[str]) -> KeyPath:
    plain = {_plain(key): path for key, path in known.items()}
    if name.startswith("--") and _plain(name) in plain:
        return plain[_plain(name)]
    parts = tuple(name.removeprefix("--").split("."))
    if "methods" in known and parts[0] == "methods" and len(parts) == 3 and all(parts):
        return parts
    raise UnknownName("flag", name, _near(parts, known, switches))


def _near(parts: KeyPath, known: Mapping[str, KeyPath], switches: Collection[str]) -> list[str]:
    """The flags of the group that was meant, or those without a group."""
    groups = {key.partition(".")[0] for key in known if "." in key}
    if len(parts) > 1 and parts[0] in groups:
        return [f"--{key}" for key in known if key.startswith(f"{parts[0]}.")]
    single = [key for key in known if "." not in key]
    return [f"--{key}" for key in (*single, *switches, *(f"{g}.*" for g in groups), "help")]
