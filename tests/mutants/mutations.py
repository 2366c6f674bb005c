"""Small slips in a source file: a sign turned, a bound moved by one, a call or an argument dropped.

Only code is changed: no text, since a message that reads otherwise is no slip; no annotation of an
argument or a result, which nothing evaluates; no decorator; nothing within an f-string.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OTHER: dict[type[ast.AST], Any] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
"""What stands in an operator's place."""


@dataclass(frozen=True)
class Mutation:
    """One slip: the bytes of a file from `start` to `stop` are replaced."""

    file: str
    """Relative to the root of the project."""
    line: int
    start: int
    stop: int
    before: str
    after: str

    @property
    def label(self) -> str:
        """The slip on one line."""
        before, after = (" ".join(text.split()) for text in (self.before, self.after))
        return f"{self.file}:{self.line}: {before} -> {after}"

    def applied(self, source: bytes) -> bytes:
        """The file with the slip in it."""
        return source[: self.start] + self.after.encode() + source[self.stop :]


def mutations(root: Path, file: str) -> list[Mutation]:
    """Every slip of a file that still is Python, in the order of its text."""
    source = (root / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    result = []
    for node, after in _slips(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        stop = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = source[start:stop].decode()
        mutation = Mutation(file, node.lineno, start, stop, before, after)
        try:
            compile(mutation.applied(source), file, "exec")
        except SyntaxError:
            continue
        result.append(mutation)
    return sorted(set(result), key=lambda m: (m.start, m.stop, m.after))


def _slips(node: ast.AST, in_class: bool = True) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Every node that a slip replaces, with what takes its place."""
    if isinstance(node, ast.expr):
        yield from ((node, f"({ast.unparse(other)})") for other in _expressions(node))
    if isinstance(node, ast.stmt):
        yield from ((node, text) for text in _statements(node))
    if isinstance(node, ast.If | ast.IfExp) and not _negated_elsewhere(node.test):
        yield node.test, f"(not ({ast.unparse(node.test)}))"
    for name, value in ast.iter_fields(node):
        if name in {"decorator_list", "returns"} or (name == "annotation" and not in_class):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.JoinedStr) or not isinstance(child, ast.AST):
                continue
            inside = isinstance(node, ast.ClassDef) or (in_class and isinstance(node, ast.expr))
            yield from _slips(child, inside)


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    """An expression with one slip in it, for each slip that there is."""
    match node:
        case ast.Compare(ops=operators):
            for place, operator in enumerate(operators):
                changed = copy.deepcopy(node)
                changed.ops[place] = OTHER[type(operator)]()
                yield changed
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) if type(operator) in OTHER:
            changed_operator = copy.deepcopy(node)
            changed_operator.op = OTHER[type(operator)]()
            yield changed_operator
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(number)):
            yield ast.Constant(number + 1)
        case ast.Constant(value=float(number)):
            yield ast.Constant(number * 2 or 1.0)
        case ast.Call(keywords=keywords):
            for place, keyword in enumerate(keywords):
                if keyword.arg is not None:
                    changed_call = copy.deepcopy(node)
                    del changed_call.keywords[place]
                    yield changed_call


def _statements(node: ast.stmt) -> Iterator[str]:
    """What stands in a statement's place."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield "pass"
        case ast.Break():
            yield "continue"
        case ast.Continue():
            yield "break"
        case ast.AugAssign(op=operator) if type(operator) in OTHER:
            changed = copy.deepcopy(node)
            changed.op = OTHER[type(operator)]()
            yield ast.unparse(changed)


def _negated_elsewhere(test: ast.expr) -> bool:
    """Whether the slip of its own operator negates a condition, or types alone hang on it."""
    match test:
        case ast.Compare(ops=[_]) | ast.UnaryOp(op=ast.Not()) | ast.Name(id="TYPE_CHECKING"):
            return True
    return False
