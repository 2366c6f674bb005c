"""What the method files say of themselves, read from their text: nothing is imported or run.

A method's file imports torch, which takes seconds. Its header, its settings and their ranges are
literals, which `ast` reads for the command line in milliseconds.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnknownName
from ..methods import files, names
from ._measured import NOTHING, summary
from ._settings import Setting, settings_of

FOLDER = Path(__file__).parent
WRITTEN = ("Plugs", "Trains", "Folds", "Source", "Prefer", "Drawback")
"""The headings of a method's file."""
MEASURED = "Measured"
"""The heading under which recorded results are shown; no file writes it."""
HEADINGS = (*WRITTEN, MEASURED)


@dataclass(frozen=True)
class Card:
    """One method as its file describes it."""

    name: str
    title: str
    formula: str
    header: Mapping[str, str]
    """Lines by heading: those of the file's header, and what was measured."""
    settings: Mapping[str, Setting]
    compared: bool
    """Whether a comparison that names no methods has this one."""


def compared() -> tuple[str, ...]:
    """The methods of a comparison that names none: all whose files do not say otherwise.

    A file says it in its class: `compared: ClassVar[bool] = False`.
    """
    return tuple(name for name in names() if card(name).compared)


def card(name: str, folder: Path | None = None) -> Card:
    """What is known of a method without importing it.

    Args:
        name: The method's name, which is its file's.
        folder: Where its file is; none looks through the registry.

    Raises:
        UnknownName: No file has this name.
    """
    known = files()
    if folder is None and name not in known:
        raise UnknownName("method", name, known)
    return _card(folder / f"{name}.py" if folder else known[name])


@functools.cache
def _card(path: Path) -> Card:
    """Read a method's file, and the base class beside it or else the registry's own."""
    tree = ast.parse(path.read_text("utf-8"))
    title, formula, header = _header(ast.get_docstring(tree) or path.stem)
    header = {**header, MEASURED: summary(path.stem) if path.parent == FOLDER else NOTHING}
    bases = [file for file in (path.with_name("base.py"), FOLDER / "base.py") if file.exists()]
    shared = ast.parse(bases[0].read_text("utf-8"))
    classes = {
        node.name: node for node in (*shared.body, *tree.body) if isinstance(node, ast.ClassDef)
    }
    method = _method(tree)
    settings = {setting.name: setting for setting in settings_of(method, classes)}
    compared = _literal(classes.get(method), "compared", True)
    return Card(path.stem, title, formula, header, settings, compared)


def _literal(node: ast.ClassDef | None, name: str, default: bool) -> bool:
    """A field of a class whose value is true or false, or the default where it has none."""
    for field in node.body if node else []:
        match field:
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.Constant(value=bool(value))):
                if target == name:
                    return value
    return default


def _header(docstring: str) -> tuple[str, str, Mapping[str, str]]:
    """A header's title, its formula and its headed lines, continued lines joined."""
    title, _, rest = docstring.partition("\n\n")
    heading = re.compile(rf"({'|'.join(WRITTEN)})\s\s+(.*)")
    formula: list[str] = []
    header: dict[str, str] = {}
    current: str | None = None
    for line in rest.splitlines():
        match = heading.fullmatch(line)
        if match:
            current = match[1]
            header[current] = match[2].strip()
        elif current and line.startswith(" "):
            header[current] += " " + line.strip()
        elif current or not line.startswith(" "):
            current = None
            if header:
                break
        else:
            formula.append(line.strip())
    return " ".join(title.split()), "\n".join(formula), header


def _method(tree: ast.Module) -> str:
    """The name of the class that the file presents: `METHOD = LoRA`."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="METHOD")], value=ast.Name(id=name)):
                return name
            case ast.AnnAssign(target=ast.Name(id="METHOD"), value=ast.Name(id=name)):
                return name
    return ""
