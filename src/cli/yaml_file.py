"""Experiment files: the plain core of YAML 1.2, with the line of every key.

PyYAML's own loader follows YAML 1.1, where `1e-4` is a text, `no` is false and `1:30` is ninety,
and it keeps the last of two equal keys in silence. We let it find the nodes and read them here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import UserError

LARGEST = 1_000_000
"""Bytes in an experiment file; one that is longer is some other file."""
DEEPEST = 16
"""Levels of nesting; an experiment needs five."""
LONGEST_NUMBER = 40
"""Characters of a number."""

KeyPath = tuple[str, ...]
_Error = Callable[[yaml.Node, str], UserError]
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Document:
    """An experiment file as plain data."""

    name: str
    """The file as the user named it."""
    value: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    """The line of each key, counted from 1."""

    def place(self, path: KeyPath) -> str:
        """Where a setting stands, such as `glue.yaml:12: search.trials`."""
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.lines), ())
        line = f":{self.lines[known]}" if known else ""
        return f"{self.name}{line}: {'.'.join(path)}"


class _Loader(yaml.SafeLoader):
    """Finds nodes; refuses aliases, which can grow without bound, and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise self.refusal("aliases are not read here")
        if self.depth >= DEEPEST:
            raise self.refusal(f"at most {DEEPEST} levels of nesting are read")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def refusal(self, problem: str) -> yaml.MarkedYAMLError:
        """An error at the place that is read now."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    (
        "float",
        r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), _first)


def read(path: Path) -> Document:
    """An experiment file.

    Raises:
        UserError: It is missing, too long, not UTF-8, not YAML, or says a key twice.
    """
    documents = read_list(path)
    if len(documents) != 1:
        raise UserError(
            f"{path}: a list of {len(documents)} experiments, which `tunebench claims` runs, and "
            "one is wanted here"
        )
    return documents[0]


def read_list(path: Path) -> list[Document]:
    """A file of several experiments, one after the other in a list, or of one.

    Raises:
        UserError: It is missing, too long, not UTF-8, not YAML, or says a key twice.
    """

    def error(node: yaml.Node, problem: str) -> UserError:
        return UserError(f"{path}:{node.start_mark.line + 1}: {problem}")

    node = _compose(_text(path), str(path))
    listed = isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq"
    documents = []
    for one in node.value if listed and node is not None else [node]:
        lines: dict[KeyPath, int] = {}
        value = {} if one is None else _build(one, (), lines, error)
        if value is None and not listed:
            value = {}
        if not isinstance(value, dict):
            raise UserError(f"{path}: an experiment is a mapping, such as `tasks: [sst2]`")
        documents.append(Document(str(path), value, lines))
    return documents


def scalar(text: str, origin: str) -> Any:
    """A value typed on the command line: a number, a word, `[a, b]` or `{low: 1, high: 2}`.

    Raises:
        UserError: It is not YAML; the message opens with `origin`.
    """

    def error(node: yaml.Node, problem: str) -> UserError:
        return UserError(f"{origin}: {problem}")

    node = _compose(text, origin, numbered=False)
    return None if node is None else _build(node, (), {}, error)


def _text(path: Path) -> str:
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path("experiments")
        there = sorted(str(p) for p in folder.glob("*.yaml"))
        hint = f" (there are: {', '.join(there)})" if there else ""
        raise UserError(f"no experiment file '{path}'{hint}")
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path}: an experiment file holds at most {LARGEST:,} bytes")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}") from None


def _compose(text: str, name: str, *, numbered: bool = True) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if numbered and mark else ""
        raise UserError(f"{name}{line}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{name}: {' '.join(str(error).split())}") from None


def _build(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], error: _Error) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, error)
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        return [_build(child, path, lines, error) for child in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        return _mapping(node, path, lines, error)
    raise error(node, f"the tag '{node.tag}' is not read here")


def _mapping(
    node: yaml.MappingNode, path: KeyPath, lines: dict[KeyPath, int], error: _Error
) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag != _TAG + "str":
            raise error(key_node, "a key is a name")
        key = str(key_node.value)
        if key in mapping:
            raise error(key_node, f"the key '{'.'.join((*path, key))}' stands here a second time")
        lines[*path, key] = key_node.start_mark.line + 1
        mapping[key] = _build(value_node, (*path, key), lines, error)
    return mapping


def _scalar(node: yaml.ScalarNode, error: _Error) -> Any:
    text = str(node.value)
    kind = node.tag.removeprefix(_TAG)
    if kind in ("int", "float") and len(text) > LONGEST_NUMBER:
        raise error(node, f"a number has at most {LONGEST_NUMBER} characters")
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = int(text) if kind == "int" else float(text) if kind == "float" else None
    except ValueError:
        number = None
    if number is not None and math.isinf(number):
        raise error(node, f"'{text}' is beyond the range of a real number")
    if number is None or math.isnan(number):
        raise error(node, f"'{text}' with the tag '{node.tag}' is not read here")
    return number
