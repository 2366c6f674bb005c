"""Which tests a slip is tried with."""

import json
from pathlib import Path

import pytest

from tests.mutants.mutations import Mutation
from tests.mutants.reached import Reach, is_in_function, read, statement, states
from tests.mutants.targets import files, files_of, nearby, stages

ROOT = Path(__file__).parents[2]
SOURCE = """import os
LIMIT = 3
def f(
    a=1,
):
    if (
        a > LIMIT
    ):
        return g(
            a,
            key=2,
        )
    try:
        h()
    except OSError as error:
        raise E from error
class A:
    size: int = 4
    def g(self): return 5
"""


def test_every_file_has_tests_that_are_there():
    for file in files(ROOT):
        near, room = nearby(ROOT, file)
        assert room, file
        assert all((ROOT / tests).exists() for tests in (*near, *room)), (file, near, room)


@pytest.mark.parametrize(
    ("line", "lines", "called"),
    [
        (2, [2], False),
        (4, [3, 4, 5], False),
        (7, [6, 7, 8], True),
        (11, [9, 10, 11, 12], True),
        (14, [14], True),
        (15, [15], True),
        (16, [16], True),
        (18, [18], False),
        (19, [19], True),
    ],
)
def test_a_statement_is_known_by_its_lines_without_its_body(line, lines, called):
    assert [*statement(SOURCE, line)] == lines
    assert is_in_function(SOURCE, line) is called


def project(folder, **seconds):
    """A room with two files of tests, and one elsewhere."""
    for name in ("src/methods/lora.py", *seconds):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(SOURCE, encoding="utf-8")
    return folder


def slip(line):
    return Mutation("src/methods/lora.py", line, 0, 1, "", "")


NEAR = "tests/methods/test_lora.py"
ROOM, QUICK = "tests/methods/test_a.py", "tests/methods/test_b.py"
ELSEWHERE = "tests/cli/test_c.py"
SECONDS = {NEAR: 15.0, ROOM: 9.0, QUICK: 2.0, ELSEWHERE: 1.0}


def reach(**lines):
    """Every file runs what happens at an import, and the lines that are given."""
    of = {NEAR: lines.get("near"), ROOM: lines.get("room"), ELSEWHERE: lines.get("elsewhere")}
    reached = {t: {"src/methods/lora.py": frozenset([1, 2, *(of.get(t) or ())])} for t in SECONDS}
    return Reach(SECONDS, reached)


def test_only_what_runs_the_statement_is_run_the_own_tests_first(tmp_path):
    root = project(tmp_path, **SECONDS)
    everywhere = reach(near=[11], room=[9], elsewhere=[10])
    assert stages(root, slip(10), everywhere) == [(NEAR,), (ROOM, ELSEWHERE)]
    assert stages(root, slip(10), everywhere, budget=24.0) == [(NEAR,), (ROOM,)]
    assert stages(root, slip(10), reach(elsewhere=[10])) == [(ELSEWHERE,)]


def test_what_runs_at_an_import_is_tried_with_the_room_alone(tmp_path):
    assert stages(project(tmp_path, **SECONDS), slip(2), reach()) == [(NEAR, QUICK), (ROOM,)]


def test_a_statement_that_nothing_is_seen_to_run_is_tried_with_the_room(tmp_path):
    assert stages(project(tmp_path, **SECONDS), slip(16), reach()) == [(NEAR, QUICK), (ROOM,)]


def test_a_folder_stands_for_its_files(tmp_path):
    matches = files_of(project(tmp_path, **SECONDS), ["tests/methods", ELSEWHERE])
    assert matches == [ROOM, QUICK, NEAR, ELSEWHERE]


def test_only_passing_files_of_the_same_state_count(tmp_path):
    path = tmp_path / "reach.jsonl"
    rows = [("a", "now", "passed"), ("b", "before", "passed"), ("c", "now", "killed")]
    path.write_text(
        "".join(
            json.dumps({"tests": t, "state": s, "status": status, "seconds": 1, "lines": {}}) + "\n"
            for t, s, status in rows
        )
    )
    known, matches = read(path, {"a": "now", "b": "now", "c": "now"})
    assert (known.seconds, matches) == ({"a": 1}, {"a", "c"})


def test_a_state_is_that_of_the_file_the_source_and_what_tests_share(tmp_path):
    names = ["src/a.py", "tests/test_a.py", "tests/b/test_b.py", "tests/shared.py", "docs/c.md"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    before = states(tmp_path, names)
    changed = []
    for name in names:
        (tmp_path / name).write_text("1")
        changed.append({t for t, state in states(tmp_path, names).items() if state != before[t]})
        (tmp_path / name).write_text("")
    both = {"tests/test_a.py", "tests/b/test_b.py"}
    assert changed == [both, {"tests/test_a.py"}, {"tests/b/test_b.py"}, both, set()]
