"""The lab on the page and in Markdown: ratios, words in their place, bars, and their colours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.lab import Interval, Lab
from tunebench.report import lab as report
from tunebench.report import latency_map, markdown, memory_bars, page, write

from tests.browser import heard, launched
from tests.lab import COSTS, LATENCY, changed, lab, method_costs
from tests.records import comparison

CONTRASTS = """() => {
  const light = colour => {
    const part = colour.match(/[0-9.]+/g).slice(0, 3).map(one => one / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2] + 0.05;
  };
  return [...document.querySelectorAll("#lab table.heat td[title]")].map(cell => {
    const style = getComputedStyle(cell);
    const both = [light(style.color), light(style.backgroundColor)];
    return Math.max(...both) / Math.min(...both);
  });
}"""
"""Of each coloured cell, as WCAG 2 has it."""


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyse(comparison(("sst2",), ("lora", "head")), lab=lab())


def line(source: str, begin: str) -> list[str]:
    """The cells of the first Markdown line that begins so."""
    (first, *_) = [one for one in source.splitlines() if one.startswith(begin)]
    return [cell.strip() for cell in first.strip("|").split("|")]


def test_markdown_has_a_ratio_with_its_interval_or_the_words(analysis: Analysis) -> None:
    source = markdown.text(analysis)
    assert line(source, "| method | form")[2:] == ["8 × 128", "1 × context", "1 real"]
    assert line(source, "| lora | unfolded")[2:] == [
        "1.2× (1.1 to 1.3)",
        "–",
        "0.90× (0.85 to 0.95)",
    ]
    assert line(source, "| lora | folded")[2:4] == ["too noisy", "not measured"]
    assert line(source, "| head | as it is")[3] == "2.0× (1.9 to 2.1)"
    assert "- not measured: classify, 1 × context (lora): not enough memory" in source
    costs = line(source, "| head | 100 bytes")
    assert costs[6:] == ["470 bytes", "not measured", "2.00 M", "2.00 M", "3.21 kB"]


@pytest.mark.parametrize(
    ("value", "low", "high", "name"),
    [
        (0.9, 0.8, 1.0, "same"),
        (1.3, 1.0, 1.6, "same"),
        (0.9, 0.8, 0.99, "faster"),
        (1.05, 1.04, 1.06, "slower-0"),
        (1.06, 1.04, 1.08, "slower-1"),
        (1.5, 1.4, 1.6, "slower-2"),
        (9.0, 8.0, 10.0, "slower-3"),
    ],
)
def test_a_colour_is_strong_only_where_the_interval_leaves_1(
    value: float, low: float, high: float, name: str
) -> None:
    assert latency_map.colour(Interval(value, low, high)) == name
    assert name in latency_map.LEGEND


def test_a_bar_is_as_long_as_what_was_counted_and_marked_where_it_was_measured() -> None:
    big = changed(COSTS, ("costs", 1), method_costs("head", 940))
    made = analyse(comparison(("sst2",), ("lora", "head")), lab=lab(costs=big))
    bars = re.findall(r"<svg.*?</svg>", report.section(made))
    assert len(bars) == 2
    scale = memory_bars.WIDTH - memory_bars.MARK
    for bar, measured in zip(bars, (500, 940), strict=True):
        numbers = re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', bar)
        parts = [(float(x), float(width)) for x, width in numbers]
        *stacked, (mark, _) = parts
        assert sum(width for _, width in stacked) == pytest.approx(470 / 940 * scale, abs=0.05)
        assert mark == pytest.approx(measured / 940 * scale, abs=0.01)
        for (x, width), (following, _) in itertools.pairwise(stacked):
            assert following == pytest.approx(x + width, abs=0.011)


def test_a_problem_is_a_line_and_nothing_is_no_section(analysis: Analysis) -> None:
    records = comparison(("sst2",), ("lora", "head"))
    broken = analyse(records, lab=Lab(problems=("costs.json is <b>no</b> JSON",)))
    assert "costs.json is &lt;b&gt;no&lt;/b&gt; JSON" in page.text(broken, {})
    assert "costs.json is" in markdown.text(broken)
    without = analyse(records)
    assert report.section(without) == ""
    assert report.TITLE not in markdown.text(without)


def test_a_name_in_a_file_is_text_and_no_markup() -> None:
    foreign = changed(LATENCY, ("points", 0, "method"), "<script>alert(1)</script>\x1b[2J")
    foreign = changed(foreign, ("device",), "<img src=x>")
    shown = report.section(
        analyse(comparison(("sst2",), ("lora", "head")), lab=lab(latency=foreign))
    )
    assert "<script" not in shown
    assert "<img" not in shown
    assert "\x1b" not in shown


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_can_read_every_cell_on_its_colour(
    browser: Any, analysis: Analysis, width: int, scheme: str, tmp_path: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run .ci/browser")
    address = write(analysis, tmp_path, {})[-1].as_uri()
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    messages, asked = heard(shown, origin=address)
    shown.goto(address)
    shown.evaluate("document.querySelectorAll('#lab details').forEach(one => { one.open = true; })")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    colours = "[...document.querySelectorAll('#lab table.heat td[title]')].map(td => td.className)"
    assert set(shown.evaluate(colours)) == {f"heat-{name}" for name in latency_map.LEGEND}
    assert axe.Axe().run(shown).response["violations"] == []
    assert min(shown.evaluate(CONTRASTS)) >= 4.5
    shown.emulate_media(media="print", color_scheme=scheme)
    assert min(shown.evaluate(CONTRASTS)) >= 4.5
    assert (messages, asked) == ([], [])
    shown.close()
