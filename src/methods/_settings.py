"""A class's fields, read from its text, as settings with bounds and ranges: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import annotated_types

from ..config import AtMost, Below, Choice, Count, Range, Sites

_PLAIN: Mapping[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "Count": Count}
_MARKS: Mapping[str, Any] = {
    "Choice": Choice,
    "Range": Range,
    "AtMost": AtMost,
    "Below": Below,
    "Sites": Sites,
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
    range: Choice | Range | None
    """What a search chooses from; none where only a pin moves it."""
    default: Any
    about: str


def docs_below(node: ast.ClassDef) -> Mapping[str, str]:
    """Each field's text: the string that stands below it, on one line."""
    docs = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    docs[field.target.id] = " ".join(text.split())
    return docs


def settings_of(name: str, classes: Mapping[str, ast.ClassDef]) -> Iterator[Setting]:
    """The fields of a class and, before them, those of its bases; a later one replaces."""
    node = classes.get(name)
    if node is None:
        return
    for base in node.bases:
        if isinstance(base, ast.Name):
            yield from settings_of(base.id, classes)
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
    ranges = [mark for mark in marks if isinstance(mark, Choice | Range)]
    bounds = [mark for mark in marks if not isinstance(mark, Choice | Range)]
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
        case ast.Subscript(value=ast.Name(id="Literal"), slice=node_of_values):
            values = ast.literal_eval(node_of_values)
            return Literal[values if isinstance(values, tuple) else (values,)]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[kind, _])):
            item: Any = _type(kind)
            return tuple[item, ...]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _type(left) | None
    return Any
