"""The page in a real browser: by day, by night, on a phone, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tunebench.analysis import analyse
from tunebench.report import write

from tests.browser import heard, launched
from tests.records import comparison

METHODS = ("adapter", "full", "head", "lora", "p_tuning", "p_tuning_v2", "prefix", "prompt")
TASKS = ("sst2", "stsb", "a_task_with_a_name_that_is_much_longer_than_any_phone_is_wide")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    records = comparison(TASKS, METHODS, (0, 1), status={("sst2", "prefix", 1): "diverged"})
    runs = {r.cell: "ab12" * 8 for r in records.results}
    out: Path = tmp_path_factory.mktemp("report")
    return write(analyse(records), out, runs)[-1].as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with launched() as started:
        yield started


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_page_fits_its_screen_and_raises_no_error(
    browser: object, address: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[attr-defined]
    messages, asked = heard(page, origin=address)
    page.goto(address)
    across = page.evaluate("document.documentElement.scrollWidth")
    assert across <= width
    assert messages == []
    assert asked == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing_serious_and_no_section_is_empty(
    browser: object, address: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run .ci/browser")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[attr-defined]
    page.goto(address)
    answer = axe.Axe().run(page).response
    assert answer["testEngine"]["name"] == "axe-core"
    serious = [one for one in answer["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"]) for one in serious] == []
    lengths = page.evaluate(
        """() => [...document.querySelectorAll('section')].map(section =>
          section.innerText.length - section.querySelector('h2').innerText.length)"""
    )
    assert len(lengths) > len(TASKS)
    assert min(lengths) > 100
    page.close()


def test_night_is_dark_and_paper_is_white_even_at_night(browser: object, address: str) -> None:
    page = browser.new_page(color_scheme="dark")  # type: ignore[attr-defined]
    page.goto(address)
    name = "getComputedStyle(document.documentElement).getPropertyValue('--card').trim()"
    dark = page.evaluate(name)
    page.emulate_media(media="print", color_scheme="dark")
    assert (page.evaluate(name), dark != "#ffffff") == ("#ffffff", True)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()


def test_text_and_points_stand_out_from_the_page_by_day_and_night(
    browser: object, address: str
) -> None:
    contrast = """(foreground) => {
      const style = getComputedStyle(document.documentElement);
      const light = name => {
        const hex = style.getPropertyValue(name).trim().slice(1);
        const part = [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16) / 255)
          .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2] + 0.05;
      };
      const [a, b] = [light(foreground), light('--card')];
      return Math.max(a, b) / Math.min(a, b);
    }"""
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)  # type: ignore[attr-defined]
        page.goto(address)
        for name in ("--ink", "--muted", "--accent"):
            assert page.evaluate(contrast, name) >= 4.5, (scheme, name)
        for number in range(8):
            assert page.evaluate(contrast, f"--series-{number}") >= 3, (scheme, number)
        page.close()


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_round(
    browser: object, address: str
) -> None:
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto(address)
    read = """() => [...document.querySelectorAll('#task-0 table.sortable tbody tr')]
      .map(row => row.cells[1].dataset.value).filter(v => v).map(Number)"""
    heading = page.locator("#task-0 table.sortable thead th").nth(1)
    shown = page.evaluate(read)
    heading.locator("button").click()
    assert page.evaluate(read) == sorted(shown, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button").click()
    assert page.evaluate(read) == sorted(shown)
    page.locator("#task-0 table.sortable thead th button").first.click()
    names = page.evaluate(
        "[...document.querySelectorAll('#task-0 .sortable tbody th')].map(h => h.dataset.value)"
    )
    assert names == sorted(names)
    page.close()


def test_without_scripts_the_tables_are_complete(browser: object, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto(address)
    assert page.locator("#task-0 table.sortable tbody tr").count() == len(METHODS) + 1 + 2
    assert page.locator("#task-0 thead th").first.inner_text() == "method"
    context.close()
