"""What is planted: each kind of slip, once, and nothing in text, annotations or decorators."""

import ast
from pathlib import Path

import pytest

from tests.mutants.mutations import mutations

ROOT = Path(__file__).parents[2]
SLIPS = {
    "a < b": {"(a <= b)"},
    "a <= b < c": {"(a < b < c)", "(a <= b <= c)"},
    "a == b": {"(a != b)"},
    "a is not b": {"(a is b)"},
    "a in b": {"(a not in b)"},
    "a and b": {"(a or b)"},
    "not a": {"(a)"},
    "-a": {"(a)"},
    "a + b": {"(a - b)"},
    "a // b": {"(a / b)"},
    "a @ b": set(),
    "True": {"(False)"},
    "7": {"(8)"},
    "0.0": {"(1.0)"},
    "0.5": {"(1.0)"},
    "'text'": set(),
    "f'{1 + 1}'": set(),
    "f(a, key=b)": {"(f(a))"},
    "f(**a)": set(),
    "a if b else c": {"(not (b))"},
}


def planted(folder, text):
    (folder / "file.py").write_text(text, encoding="utf-8")
    return mutations(folder, "file.py")


@pytest.mark.parametrize("text", SLIPS)
def test_every_slip_of_an_expression(tmp_path, text):
    assert {m.after for m in planted(tmp_path, f"x = {text}\n")} == SLIPS[text]


def test_calls_are_dropped_sums_turned_loops_left_and_conditions_negated(tmp_path):
    text = "for a in b:\n    f(a)\n    c += a\n    if a:\n        break\n"
    assert {(m.line, m.after) for m in planted(tmp_path, text)} == {
        (2, "pass"),
        (3, "c -= a"),
        (4, "(not (a))"),
        (5, "continue"),
    }


def test_only_the_place_changes_also_after_letters_of_several_bytes(tmp_path):
    text = "é = '×'; y = é + 1  # ü\n"
    (change,) = (m for m in planted(tmp_path, text) if m.before == "é + 1")
    assert change.applied(text.encode()).decode() == "é = '×'; y = (é - 1)  # ü\n"


def test_annotations_of_functions_and_decorators_stay(tmp_path):
    text = "@d(frozen=True)\ndef f(a: int | None, *, b: L[1]) -> int | str:\n    c: int | None\n"
    assert planted(tmp_path, text) == []


def test_a_range_in_a_class_is_code(tmp_path):
    text = "class A:\n    rate: Annotated[float, Range(1.0, 3.0)] = 5.0\n"
    assert {m.before for m in planted(tmp_path, text)} == {"1.0", "3.0", "5.0"}


def test_every_planted_file_is_python_and_another():
    for file in ("src/methods/lora.py", "src/study/schedule.py"):
        source = (ROOT / file).read_bytes()
        for mutation in mutations(ROOT, file):
            assert ast.dump(ast.parse(mutation.applied(source))) != ast.dump(ast.parse(source))
