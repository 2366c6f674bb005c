"""Which slips count as changing nothing: those that are listed as they stand, and no others."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.mutations import mutations
from tests.mutants.unchanging import LIST, UNEVALUATED, listed, why_nothing_changes

SOURCE = """from __future__ import annotations
from dataclasses import dataclass
@dataclass
class A:
    size: int | None
    mask: int = 1 | 2
def f(a: list[int], b: int | None = None):
    return dict(zip(a, a, strict=True)), a | b
"""
ENTRY = """[[slip]]
file = "src/data/a.py"
line = "return dict(zip(a, a, strict=True)), a | b"
at = 29
before = "True"
after = "(False)"
reason = "a list is as long as itself"
"""


def reasons(folder: Path, file: str, source: str) -> dict[str, str | None]:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    known = listed(folder / "list.toml")
    return {
        f"{slip.before} -> {slip.after}": why_nothing_changes(folder, slip, known)
        for slip in mutations(folder, file)
    }


def test_a_slip_is_known_by_its_line_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(ENTRY)
    matches = reasons(tmp_path, "src/data/a.py", SOURCE)
    assert {slip for slip, why in matches.items() if why == "a list is as long as itself"} == {
        "True -> (False)"
    }
    assert matches["int | None -> (int & None)"] == UNEVALUATED
    changing = ("1 | 2 -> (1 & 2)", "a | b -> (a & b)", "1 -> (2)")
    assert [matches[slip] for slip in changing] == [None] * 3
    other = reasons(tmp_path, "src/data/a.py", SOURCE.replace("zip(a, a,", "zip(a, b,"))
    assert other["True -> (False)"] is None
    assert reasons(tmp_path, "src/data/b.py", SOURCE)["True -> (False)"] is None


def test_the_settings_of_a_method_are_evaluated(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text("")
    for file, source in (
        ("src/methods/a.py", SOURCE),
        ("src/data/c.py", SOURCE.partition("\n")[2]),
    ):
        assert reasons(tmp_path, file, source)["int | None -> (int & None)"] is None


def test_every_entry_has_its_reason_and_stands_once() -> None:
    known = listed()
    assert LIST.read_text("utf-8").count("[[slip]]") == len(known)
    assert all(len(why.split()) > 3 for why in known.values())
    for file, line, at, before, _ in known:
        assert line == line.strip(), file
        # Of what stands on several lines the line has the beginning.
        assert line.encode()[at:].startswith(before.encode()[:10]), line
