"""Disagreements on the page, in Markdown and on the terminal, which alone has texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tunebench.analysis import Analysis, Predictions, analyse
from tunebench.records import Result
from tunebench.report import markdown, page
from tunebench.report.console import plain, written
from tunebench.report.disagreements import TITLE, show

from tests.records import comparison

ANSWERS = {"lora": ("a|b", "no", "no", "no"), "head": ("no", "no", "a|b", "a|b")}
LABELS = ("a|b", "a|b", "a|b", "no")


def read(row: Result) -> Predictions:
    """lora alone is right on the first and the last example, head alone on the third."""
    lines = {"line": [2, 3, 4, 5]}
    return Predictions(("secret 1", "2", "3", "4"), LABELS, ANSWERS[row.method], lines)


@pytest.fixture
def analysis() -> Analysis:
    records = comparison(("sst2",), tuple(ANSWERS), (0,))
    rows = tuple(replace(row, predictions="one") for row in records.results)
    return analyse(replace(records, results=rows), read)


def test_markdown_has_counts_and_names_and_the_command_for_the_texts(analysis: Analysis) -> None:
    _, _, section = markdown.text(analysis).partition(f"### {TITLE}\n")
    assert "| right \\\\ wrong | lora | head |" in section
    assert "| lora | - | 2 |" in section
    assert "| head | 1 | - |" in section
    assert "| line 2 | a\\|b | only lora is right | no |" in section
    assert "| line 5 | no | only lora is right | a\\|b |" in section
    assert "| line 4 | a\\|b | only head is right | no |" in section
    assert "`tunebench disagreements sst2`" in section
    assert "On 3 of 4 test examples" in section


def test_the_page_has_the_same_and_no_id_of_a_user(analysis: Analysis) -> None:
    source = page.text(analysis, {})
    assert f"<summary>{TITLE}</summary>" in source
    assert 'data-value="2">2</td>' in source
    assert "<td>only head is right</td>" in source
    assert "secret 1" not in source
    assert "secret 1" not in markdown.text(analysis)


def test_one_method_has_no_section() -> None:
    records = comparison(("sst2",), ("lora",), (0,))
    rows = tuple(replace(row, predictions="one") for row in records.results)
    less = analyse(replace(records, results=rows), read)
    assert TITLE not in markdown.text(less)
    assert TITLE not in page.text(less, {})


def test_the_terminal_shows_each_text_under_its_example(analysis: Analysis) -> None:
    where = analysis.tasks[0].disagreements
    assert where is not None
    console = plain()
    show(where, [(f"text {n}", f"pair {n}\x1b[2J") for n in range(4)], ("one", "two"), console)
    lines = [line.strip() for line in written(console).splitlines()]
    at = lines.index("line 4: a|b; only head is right, wrong answer: no")
    assert lines[at + 1 : at + 3] == ["one: text 2", "two: pair 2 [2J"]
    assert "text 1" not in written(console)
    console = plain()
    show(where, [(f"text {n}",) for n in range(4)], ("sentence",), console)
    assert "    text 0" in written(console).splitlines()


def test_without_texts_the_names_are_shown(analysis: Analysis) -> None:
    where = analysis.tasks[0].disagreements
    assert where is not None
    console = plain()
    show(where, (), (), console)
    assert "line 2: a|b; only lora is right, wrong answer: no" in written(console)
