"""Results by data size on the page, in Markdown and in analysis.json."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.claims import AtSize, SizeCurve
from tunebench.report import by_size, markdown, page
from tunebench.report import json as json_file

from tests.records import comparison


def point(examples: int, score: float, half: float | None = 0.02, **more: int) -> AtSize:
    low, high = (None, None) if half is None else (score - half, score + half)
    counts = {"epochs": 2, "seeds": 3, **more}
    return AtSize(examples, score=score, low=low, high=high, runs=(f"run-{examples}",), **counts)


CURVES = (
    SizeCurve("stsb", "full", "pearson", "{}", (point(100, 0.3, epochs=10), point(5749, 0.85))),
    SizeCurve("stsb", "a_method_of_another_comparison", "pearson", "{}", (
        point(100, 0.4, epochs=10), point(1000, 0.6), point(5749, 0.8),
    )),
    SizeCurve("mrpc", "full", "f1", "{}", (point(100, 0.5, None, seeds=1), point(1000, 0.7))),
)  # fmt: skip


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(comparison(), sizes=CURVES)


def test_a_table_for_each_task_with_a_column_for_each_size(analysis: Analysis) -> None:
    tables = by_size.tables_of(analysis)
    assert [by_size.header(each)[1:] for each in tables] == [
        ("100 examples", "1,000 examples", "5,749 examples"),
        ("100 examples", "1,000 examples"),
    ]
    sizes = by_size.sizes_of(tables[0])
    assert by_size.texts(CURVES[0], sizes) == (
        "full", "0.300 (0.280 to 0.320)", "–", "0.850 (0.830 to 0.870)",
    )  # fmt: skip
    first, second = map(by_size.under, tables)
    assert "100 for 10 epochs, 1,000 for 2 epochs and 5,749 for 2 epochs" in first
    assert "one seed says nothing" not in first
    assert "mean of 1 to 3 seeds" in second
    assert "one seed says nothing" in second


def test_two_protocols_of_a_task_are_two_tables() -> None:
    other = replace(CURVES[0], protocol='{"lr": 1}')
    tables = by_size.tables_of(analyse(comparison(), sizes=(*CURVES[:2], other)))
    assert [len(each) for each in tables] == [2, 1]


def test_page_markdown_and_json_have_them(analysis: Analysis) -> None:
    plain, source = markdown.text(analysis), page.text(analysis, {})
    for text in (plain, source):
        assert by_size.TITLE in text
        assert "0.300 (0.280 to 0.320)" in text
    section = source.split('id="sizes"')[1].split("</section>")[0]
    assert section.count("<svg") == 3
    assert section.count('class="band"') == 2  # a point without an interval leaves the band out
    listed = json.loads(json_file.text(analysis))["sizes"]
    assert len(listed) == 7
    assert listed[0] == {
        "task": "stsb", "method": "full", "metric": "pearson", "examples": 100, "epochs": 10,
        "score": 0.3, "low": pytest.approx(0.28), "high": pytest.approx(0.32), "seeds": 3,
        "runs": ["run-100"],
    }  # fmt: skip
    assert listed[5]["low"] is None


def test_equal_factors_are_equal_steps(analysis: Analysis) -> None:
    section = page.text(analysis, {}).split('id="sizes"')[1]
    lines = re.findall(r'<polyline points="([^"]*)" class="line"', section)
    steps = [[float(xy.split(",")[0]) for xy in each.split()] for each in lines]
    (three,) = [each for each in steps if len(each) == 3]
    # log(1000 / 100) / log(5749 / 100) of the way
    assert (three[1] - three[0]) / (three[2] - three[0]) == pytest.approx(0.5683, abs=0.002)


def test_without_sizes_there_is_no_section() -> None:
    analysis = analyse(comparison())
    assert by_size.TITLE not in markdown.text(analysis)
    assert 'id="sizes"' not in page.text(analysis, {})
