"""What the page's script does beside sorting and weights: groups are marked, tables go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tunebench.analysis import Analysis
from tunebench.report import write

from tests.analysis.planted import analysed, answered
from tests.browser import heard, launched

MEMBERS = "[...document.querySelectorAll('tr.member')].map(row => row.cells[0].dataset.value)"
SHARES = {"full": 0.85, "lora": 0.82, "adapter": 0.78, "head": 0.6}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analysed(answered(SHARES, seeds=3, examples=300))


@pytest.fixture(scope="module")
def address(analysis: Analysis, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(analysis, tmp_path_factory.mktemp("report"), {})[-1].as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


def members(analysis: Analysis) -> dict[str, set[str]]:
    """Letter → its methods, by the analysis."""
    judged = analysis.tasks[0].judged
    assert judged is not None
    letters = judged.verdict.letters
    every = sorted({letter for its in letters.values() for letter in its})
    return {one: {method for method, its in letters.items() if one in its} for one in every}


def test_a_letter_marks_its_members_under_pointer_and_focus_and_a_click_keeps_them(
    browser: Any, address: str, analysis: Analysis
) -> None:
    groups = members(analysis)
    assert len(groups) > 1
    shown = browser.new_page()
    messages, _ = heard(shown, origin=address)
    shown.goto(address)
    for letter, names in groups.items():
        buttons = shown.locator(f"td.group button:text-is('{letter}')")
        assert buttons.count() == len(names)
        buttons.first.hover()
        assert set(shown.evaluate(MEMBERS)) == names
        shown.mouse.move(0, 0)
        assert shown.evaluate(MEMBERS) == []
        buttons.last.focus()
        assert set(shown.evaluate(MEMBERS)) == names
        label = buttons.first.get_attribute("aria-label")
        assert set(label.partition(": ")[2].split(", ")) == names
    first, *_, last = groups
    shown.locator(f"td.group button:text-is('{first}')").first.press("Enter")
    shown.locator(f"td.group button:text-is('{last}')").first.focus()
    shown.evaluate("document.activeElement.blur()")
    assert set(shown.evaluate(MEMBERS)) == groups[first]
    pressed = shown.locator("td.group button[aria-pressed=true]").all_inner_texts()
    assert pressed == [first] * len(groups[first])
    shown.locator(f"td.group button:text-is('{first}')").first.press("Enter")
    shown.evaluate("document.activeElement.blur()")
    assert shown.evaluate(MEMBERS) == []
    assert messages == []
    shown.close()


def test_a_table_that_goes_on_shows_it_until_its_end_is_seen(browser: Any, address: str) -> None:
    shown = browser.new_page(viewport={"width": 390, "height": 900})
    shown.goto(address)
    frame = shown.locator(".frame").first
    sign = "frame => getComputedStyle(frame, '::after').content"
    wide = frame.locator(".wide")
    assert wide.evaluate("one => one.scrollWidth > one.clientWidth")
    shown.wait_for_function("document.querySelector('.frame').matches('.more')")
    assert "→" in frame.evaluate(sign)
    wide.evaluate("one => { one.scrollLeft = one.scrollWidth; }")
    shown.wait_for_function("!document.querySelector('.frame').matches('.more')")
    assert frame.evaluate(sign) == "none"
    shown.set_viewport_size({"width": 1800, "height": 900})
    shown.wait_for_timeout(100)
    assert "more" not in frame.get_attribute("class").split()
    shown.close()


def test_without_scripts_letters_are_text(browser: Any, address: str, analysis: Analysis) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(address)
    texts = filter(None, shown.locator("td.group").all_inner_texts())
    judged = analysis.tasks[0].judged
    assert judged is not None
    assert sorted(texts) == sorted(judged.verdict.letters.values())
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_with_a_group_marked(
    browser: Any, address: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run .ci/browser")
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    shown.goto(address)
    shown.locator("td.group button").first.click()
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert axe.Axe().run(shown).response["violations"] == []
    shown.close()
