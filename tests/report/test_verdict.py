"""The verdict in terminal, page, Markdown and results.csv: what the pairs say, and no more."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.report import csv as results
from tunebench.report import markdown, page, verdict
from tunebench.report.console import WIDTH, plain, written
from tunebench.report.terminal import show

from tests.analysis.planted import analysed, answered, reader, records_of, renamed
from tests.analysis.verdict.made_up import cells

SHARES = {"full": 0.79, "lora": 0.8, "head": 0.7}
LETTERS = {"lora": "a", "full": "a", "head": "b"}


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analysed(answered(SHARES))


@pytest.fixture(scope="module")
def single() -> Analysis:
    return analysed(answered(SHARES, seeds=1))


def terminal(analysis: Analysis) -> str:
    console = plain()
    show(analysis, Path("runs"), console)
    return written(console)


def lines_of(source: str) -> list[list[str]]:
    """The cells of every line of a Markdown table, without bold."""
    rows = [line for line in source.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("*") for cell in row.strip("|").split("|")] for row in rows]


def test_letters_stand_beside_each_method_on_the_terminal(analysis: Analysis, single: Analysis):
    shown = terminal(analysis)
    for method, letters in LETTERS.items():
        assert re.search(rf"^ *{method} +{letters} +0\.", shown, re.MULTILINE)
    assert "share a letter" in shown
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert "group" not in terminal(single)


def test_letters_stand_beside_each_method_in_markdown(analysis: Analysis, single: Analysis):
    source = markdown.text(analysis)
    assert {row[0]: row[1] for row in lines_of(source) if row[0] in SHARES and len(row) > 9} == (
        LETTERS
    )
    assert "share a letter" in source
    assert "| group |" not in markdown.text(single)
    assert "share a letter" not in markdown.text(single)


def test_letters_stand_beside_each_method_on_the_page(analysis: Analysis, single: Analysis):
    source = page.text(analysis, {})
    for method, letters in LETTERS.items():
        match = re.search(
            rf'data-value="{method}">.*?</th><td class="group" data-value="\d">(\w+)</td>', source
        )
        assert match is not None
        assert match[1] == letters
    assert "share a letter" in source
    assert ">group<" not in page.text(single, {})
    assert "≈ best" not in source


def test_letters_are_a_column_of_the_csv_file(analysis: Analysis, single: Analysis):
    for one, wanted in ((analysis, LETTERS), (single, dict.fromkeys(SHARES, ""))):
        rows = list(csv.DictReader(io.StringIO(results.text(one, {}))))
        assert {row["method"]: row["group"] for row in rows} == wanted


def test_the_table_has_the_numbers_of_every_pair(analysis: Analysis):
    (task,) = analysis.tasks
    rows = [row for row in lines_of(markdown.text(analysis)) if len(row) == len(verdict.HEADER)]
    shown = {(row[0], row[1]): row for row in rows}
    for pair in task.judged.verdict.pairs:
        sign = -1 if pair.b == "lora" else 1
        row = shown[(pair.b, pair.a) if sign < 0 else (pair.a, pair.b)]
        low, high = sorted((sign * pair.low, sign * pair.high))
        assert row[2] == f"{sign * pair.difference:+.3f}"
        assert row[3] == f"{low:+.3f} to {high:+.3f}"
        assert row[5] == (f"{pair.better} is better" if pair.better else pair.verdict)
        assert row[6] == ("" if pair.to_decide is None else pair.to_decide.sentence)
    assert [row[:2] for row in rows[2:]] == [["lora", "full"], ["lora", "head"], ["full", "head"]]


def test_page_and_markdown_say_the_same_of_the_pairs(analysis: Analysis):
    source = page.text(analysis, {})
    for pair, sign in verdict.pairs_of(analysis.tasks[0]):
        for text in verdict.pair_texts(pair, sign):
            assert text.replace("<", "&lt;") in source
    assert "With 80 % power this study finds" in source
    assert "With 80 % power this study finds" in markdown.text(analysis)
    assert "With 80 % power" not in terminal(analysis)


def test_an_interval_is_drawn_where_it_lies(analysis: Analysis):
    source = page.text(analysis, {})
    drawn = [ET.fromstring(each) for each in re.findall(r"<svg[^>]*pair-interval.*?</svg>", source)]
    listed = verdict.pairs_of(analysis.tasks[0])
    assert len(drawn) == len(listed)
    scales = []
    for svg, (pair, sign) in zip(drawn, listed, strict=True):
        zero, interval = svg.findall("line")
        middle = float(zero.attrib["x1"])
        left, right = (float(interval.attrib[end]) - middle for end in ("x1", "x2"))
        low, high = sorted((sign * pair.low, sign * pair.high))
        scales.append((right - left) / (high - low))
        assert left == pytest.approx(low * scales[0], abs=0.2)
        assert right == pytest.approx(high * scales[0], abs=0.2)
        band = svg.find("rect")
        assert float(band.attrib["width"]) == pytest.approx(0.02 * scales[0], abs=0.3)
        assert 0 <= left + middle <= right + middle <= verdict.WIDTH
    assert scales == pytest.approx([scales[0]] * len(scales), rel=0.05)


def test_one_seed_has_no_verdict_anywhere(single: Analysis):
    for source in (markdown.text(single), page.text(single, {})):
        assert "One seed is no verdict" in source
        assert "examples alone" in source
        assert "3 seeds at least" in source
        assert "is better" not in source.replace("which method is better", "")
    # Only the pairs of the highest score are listed.
    assert len(verdict.pairs_of(single.tasks[0])) == 2


def test_without_stored_answers_there_is_no_section():
    made = cells(answered(SHARES))
    without = analyse(records_of(made))
    assert "### Verdict" not in markdown.text(without)
    assert ">Verdict<" not in page.text(without, {})


def test_of_several_tasks_each_has_its_sentences_and_one_task_has_them_once(analysis: Analysis):
    made = [*renamed(cells(answered(SHARES)), "one"), *renamed(cells(answered(SHARES)), "two")]
    both = analyse(records_of(made, ("one", "two")), reader(made))
    for shown in (terminal(both), markdown.text(both), page.text(both, {})):
        flat = " ".join(shown.split())
        for task in both.tasks:
            assert flat.count(" ".join(task.conclusion.sentences.split())) == 1
    sentences = analysis.tasks[0].conclusion.sentences
    for shown in (terminal(analysis), markdown.text(analysis), page.text(analysis, {})):
        assert " ".join(shown.split()).count(sentences) == 1


def test_the_looks_say_how_far_they_came():
    made = [c for c in cells(answered({"lora": 0.8, "head": 0.7})) if c.result.seed < 3]
    looked = analyse(records_of(made, until="decided"), reader(made))
    for shown in (terminal(looked), markdown.text(looked), page.text(looked, {})):
        assert "Every pair was decided by 3 seeds." in " ".join(shown.split())


def test_a_reason_cannot_break_out_of_its_paragraph():
    made = [
        replace(c, result=replace(c.result, metric="<b>|x" if c.result.method == "head" else "y"))
        for c in cells(answered({"lora": 0.8, "head": 0.7}))
    ]
    odd = analyse(records_of(made), reader(made))
    assert "<b>" not in page.text(odd, {})
    assert "<b>" not in markdown.text(odd).replace(r"\<b\>", "")
