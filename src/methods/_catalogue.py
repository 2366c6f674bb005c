"""What the method files say of themselves, read from their text: nothing is imported or run.

A method's file imports torch; its header, its settings and their ranges are literals, so `ast`
gives them to the command line in milliseconds.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types

from ..config import Choice, Count, Span
from ..errors import UnknownName
from . import files, names

FOLDER = Path(__file__).parent
HEADINGS = ("Plugs", "Trains", "Folds", "Source", "Prefer", "Drawback")
_PLAIN: Mapping[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "Count": Count}
_MARKS: Mapping[str, Any] = {
    "Choice": Choice,
    "Span": Span,
    **{name: getattr(annotated_types, name) for name in ("Ge", "Gt", "Le", "Lt")},
}


@dataclass(frozen=True)
class Setting:
    """One hyperparameter of a method."""

    name: str
    annotation: Any
    """Its type with its bounds, as `typing` spells it; `Any` where the text was not understood."""
    written: str
    """The type alone, as the file writes it."""
    range: Choice | Span | None
    """What a search chooses from; none where only a pin moves it."""
    default: Any
    about: str


@dataclass(frozen=True)
class Card:
    """One method as its file describes it."""

    name: str
    title: str
    formula: str
    header: Mapping[str, str]
    """The header's lines by heading: Plugs, Trains, Folds, Source, Prefer, Drawback."""
    settings: Mapping[str, Setting]
    compared: bool
    """Whether a comparison that names no methods has this one."""


def compared() -> tuple[str, ...]:
    """The methods of a comparison that names none: all whose files do not say otherwise.

    A file says it in its class: `compared: ClassVar[bool] = False`.
    """
    return tuple(name for name in names() if card(name).compared)


def card(name: str, folder: Path | None = None) -> Card:
    """A method's card.

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
    """What a file and the base beside it, or else the registry's own, say."""
    tree = ast.parse(path.read_text("utf-8"))
    title, formula, header = _header(ast.get_docstring(tree) or path.stem)
    bases = [file for file in (path.with_name("base.py"), FOLDER / "base.py") if file.exists()]
    shared = ast.parse(bases[0].read_text("utf-8"))
    classes = {
        node.name: node for node in (*shared.body, *tree.body) if isinstance(node, ast.ClassDef)
    }
    method = _method(tree)
    settings = {found.name: found for found in _settings(method, classes)}
    compared = _literal(classes.get(method), "compared", True)
    return Card(path.stem, title, formula, header, settings, compared)


def _literal(node: ast.ClassDef | None, name: str, default: bool) -> bool:
    """What a class says of itself in one of its fields."""
    for field in node.body if node else []:
        match field:
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.Constant(value=bool(value))):
                if found == name:
                    return value
    return default


def docs_below(node: ast.ClassDef) -> Mapping[str, str]:
    """Each field's text: the string that stands below it, on one line."""
    found = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = " ".join(text.split())
    return found


def _header(docstring: str) -> tuple[str, str, Mapping[str, str]]:
    """A header's title, its formula and its headed lines, continued lines joined."""
    title, _, rest = docstring.partition("\n\n")
    heading = re.compile(rf"({'|'.join(HEADINGS)})\s\s+(.*)")
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


def _settings(name: str, classes: Mapping[str, ast.ClassDef]) -> Iterator[Setting]:
    """The fields of a class and, before them, those of its bases; a later one replaces."""
    node = classes.get(name)
    if node is None:
        return
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from _settings(base.id, classes)
    about = docs_below(node)
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            setting = _setting(field, field.target.id, about.get(field.target.id, ""))
            if setting is not None:
                yield setting


def _setting(field: ast.AnnAssign, name: str, about: str) -> Setting | None:
    """A field as a setting; none where the user does not set it."""
    outer = field.annotation.value if isinstance(field.annotation, ast.Subscript) else None
    hidden = isinstance(field.value, ast.Call) or field.value is None
    if name.startswith("_") or hidden or (isinstance(outer, ast.Name) and outer.id == "ClassVar"):
        return None
    kind, marks = _split(field.annotation)
    ranges = [mark for mark in marks if isinstance(mark, Choice | Span)]
    bounds = [mark for mark in marks if not isinstance(mark, Choice | Span)]
    annotation = _type(kind)
    for bound in bounds:
        annotation = Annotated[annotation, bound]
    default = ast.literal_eval(field.value) if field.value is not None else None
    range_ = ranges[0] if ranges else None
    return Setting(name, annotation, ast.unparse(kind), range_, default, about)


def _split(node: ast.expr) -> tuple[ast.expr, list[Any]]:
    """`Annotated[int, Choice(2, 4)]` → the type's node and the marks that are known here."""
    match node:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *rest])):
            return kind, [made for made in map(_mark, rest) if made is not None]
    return node, []


def _mark(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in _MARKS:
            named = {k.arg: ast.literal_eval(k.value) for k in keywords if k.arg}
            return _MARKS[name](*map(ast.literal_eval, arguments), **named)
    return None


def _type(node: ast.expr) -> Any:
    """The type that an annotation's text means, for the few spellings that methods use."""
    match node:
        case ast.Name(id=name) if name in _PLAIN:
            return _PLAIN[name]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=values):
            given = ast.literal_eval(values)
            return Literal[given if isinstance(given, tuple) else (given,)]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[kind, _])):
            item: Any = _type(kind)
            return tuple[item, ...]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _type(left) | None
    return Any
