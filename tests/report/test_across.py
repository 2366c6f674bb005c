"""All tasks together in terminal, page, Markdown and analysis.json: one set of numbers."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.report import across, markdown, page
from tunebench.report import json as json_file
from tunebench.report.console import WIDTH, plain, written
from tunebench.report.diagram import critical_differences
from tunebench.report.terminal import show

from tests.analysis.planted import SHARES, analysed, answered, on_tasks


@pytest.fixture(scope="module")
def few() -> Analysis:
    return on_tasks(2)


@pytest.fixture(scope="module")
def many() -> Analysis:
    return on_tasks(7)


def flat(text: str) -> str:
    """What a reader sees, without tags and line breaks."""
    plainly = re.sub(r"(?<!\\)<[^>]*>", " ", text).replace("&#x27;", "'").replace("\\", "")
    return " ".join(plainly.replace("&lt;", "<").replace("&gt;", ">").split())


def terminal(analysis: Analysis) -> str:
    console = plain()
    show(analysis, Path("runs"), console)
    return written(console)


def test_every_view_has_means_and_ranks_with_their_intervals(many: Analysis) -> None:
    assert many.across is not None
    for text in (markdown.text(many), across.section(many)):
        for one in many.across.standings:
            for shown in across.standing_texts(one):
                assert shown in flat(text)
        for pair in across.first_pairs(many.across):
            assert " ".join(across.pair_texts(many.across, pair)[2:4]) in flat(text).replace(
                "| ", ""
            )
    shown = terminal(many)
    assert max(map(len, shown.splitlines())) <= WIDTH
    for one in many.across.standings:
        assert f"{one.rank:.1f} ({one.rank_low:.1f} to {one.rank_high:.1f})" in shown


def test_the_numbers_are_those_of_the_analysis_file(many: Analysis) -> None:
    assert many.across is not None
    content = json.loads(json_file.text(many))
    for line, one in zip(content["across"], many.across.standings, strict=True):
        assert across.standing_texts(one)[1] == f"{line['mean']:.3f}"
        assert (line["rank_low"], line["rank_high"]) == (one.rank_low, one.rank_high)
    assert len(content["across_pairs"]) == 3
    better = {(p["a"], p["b"]): p["better"] for p in content["across_pairs"]}
    assert better["lora", "head"] == "lora"
    assert better["full", "lora"] in (None, "full", "lora")
    chances = {(c["task"], c["method"]): c["probability"] for c in content["front"]}
    assert len(chances) == 7 * 3
    assert chances["task-0", "lora"] == many.tasks[0].draws.membership["lora"]
    for note in content["across_notes"]:
        assert note["sentence"] in flat(across.section(many))


def test_the_first_method_stands_first_whichever_way_its_pair_is_stored(many: Analysis) -> None:
    over_all = many.across
    assert over_all is not None
    first = over_all.standings[0].method
    for pair in across.first_pairs(over_all):
        texts = across.pair_texts(over_all, pair)
        rows = {row.method: row.rows for row in many.overview}
        won = sum(
            (a.score.value > b.score.value) + 0.5 * (a.score.value == b.score.value)
            for a, b in zip(rows[first], rows[texts[1]], strict=True)
        )
        assert texts[0] == first
        assert texts[2] == f"{won:g} of 7"
        assert texts[3] == f"{won / 7:.2f}"
        low, high = map(float, texts[4].split(" to "))
        assert low <= won / 7 <= high


def test_few_tasks_say_why_there_is_no_diagram_and_nothing_of_a_new_task(few: Analysis) -> None:
    assert few.across is not None
    assert critical_differences(few, "x") is None
    for text in (markdown.text(few), page.text(few, {})):
        assert "the smallest p that Wilcoxon's signed-rank test can give is 0.5" in flat(text)
        assert "times 3 pairs 1.5, so that no pair could be shown to differ" in flat(text)
        assert "3 methods take 7 tasks." in flat(text)
        assert "Of a new task nothing is claimed: that takes 6 tasks at least." in flat(text)
        assert across.NEW_TITLE not in flat(text)


def test_the_diagram_links_what_is_not_shown_to_differ(many: Analysis) -> None:
    over_all = many.across
    assert over_all is not None
    drawing = critical_differences(many, "x")
    assert drawing is not None
    titles = [one.text or "" for one in ET.fromstring(drawing).iter("title")]
    linked = {frozenset(t.partition(": ")[2].split(", ")) for t in titles if t.startswith("not")}
    letters = over_all.groups
    groups = [
        frozenset(m for m, its in letters.items() if one in its)
        for one in {letter for its in letters.values() for letter in its}
    ]
    assert linked == {group for group in groups if len(group) > 1}
    assert frozenset(("full", "lora")) in linked
    assert not any("head" in group for group in linked)
    assert drawing in across.section(many).replace('id="across-', 'id="x-').replace(
        "#across-", "#x-"
    )
    assert "methods that a line links are not shown to differ" in flat(across.section(many))
    source = flat(markdown.text(many))
    assert all(f"{method} ({its})" in source for method, its in letters.items())


def test_one_task_and_missing_answers_have_no_section(many: Analysis) -> None:
    one = analysed(answered(SHARES, seeds=2, examples=60))
    assert across.TITLE not in markdown.text(one)
    assert across.TITLE not in page.text(one, {})
    without = analyse(many.comparison)
    assert across.TITLE not in markdown.text(without)
    assert "mean rank" not in terminal(without)
    assert json_file.content(without)["across"] == []


def test_one_seed_is_named_where_it_is_all_there_is() -> None:
    single = on_tasks(2, seeds=1)
    for text in (markdown.text(single), across.section(single)):
        assert "some task has one seed, which says nothing of others" in flat(text)
