"""Other weights: what the page computes, held against numpy, by hand, by eye and by ear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.format import score
from tunebench.report import page, weights, write

from tests.analysis.planted import SHARES, analysed, answered, on_tasks
from tests.browser import heard, launched

TABLE = """() => [...document.querySelectorAll('.weights tbody tr')]
  .map(row => [...row.cells].map(cell => cell.textContent))"""


@pytest.fixture(scope="module")
def three() -> Analysis:
    return on_tasks(3)


@pytest.fixture(scope="module")
def address(three: Analysis, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(three, tmp_path_factory.mktemp("report"), {})[-1].as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


def by_numpy(analysis: Analysis, weight: list[float]) -> list[list[str]]:
    """The table as numpy and scipy have it, highest mean first."""
    methods = [one.method for one in analysis.overview]
    scores = np.array([[row.score.value for row in one.rows] for one in analysis.overview])
    means = np.average(scores, axis=1, weights=weight)
    ranks = np.average(rankdata(-scores, axis=0), axis=1, weights=weight)
    equal = rankdata(-scores.mean(1).round(3), method="min")
    columns = (
        map(score, means), rankdata(-means.round(3), method="min"), equal,
        (f"{rank:.2f}" for rank in ranks), rankdata(ranks.round(2), method="min"),
    )  # fmt: skip
    lines = [list(map(str, line)) for line in zip(methods, *columns, strict=True)]
    return [lines[i] for i in np.argsort(-means, kind="stable")]


def set_to(shown: Any, weight: list[float]) -> None:
    for slider, value in zip(shown.locator(".weights input").all(), weight, strict=True):
        slider.fill(f"{value:g}")


def test_without_several_tasks_or_answers_there_are_no_weights(three: Analysis) -> None:
    single = analysed(answered(SHARES, seeds=2, examples=60))
    for analysis in (single, analyse(three.comparison)):
        assert weights.TITLE not in page.text(analysis, {})


def test_the_table_begins_with_the_analysis_own_means_and_ranks(three: Analysis) -> None:
    assert three.across is not None
    for one in three.across.standings:
        assert np.mean(three.across.scores[one.method]) == pytest.approx(one.mean, abs=1e-15)
        assert np.mean(three.across.ranks[one.method]) == pytest.approx(one.rank, abs=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [[1, 1, 1], [2, 2, 2], [4, 0, 0], [0, 1, 0], [0.25, 2.5, 4]])
def test_the_page_computes_what_numpy_computes(
    browser: Any, address: str, three: Analysis, weight: list[float]
) -> None:
    shown = browser.new_page()
    messages, asked = heard(shown, origin=address)
    shown.goto(address)
    above = shown.locator(".across table").first.inner_text()
    set_to(shown, weight)
    expected = by_numpy(three, weight)
    assert shown.evaluate(TABLE) == expected
    shares = [f"{round(100 * one / sum(weight))} %" for one in weight]
    assert shown.locator(".weights output").all_inner_texts() == shares
    status = shown.locator(".weights [role=status]").inner_text()
    assert status.endswith(": " + ", ".join(line[0] for line in expected))
    assert status.startswith("Equal weights") == (len(set(weight)) == 1)
    assert shown.locator(".across table").first.inner_text() == above
    assert (messages, asked) == ([], [])
    shown.close()


@pytest.mark.slow
def test_keys_move_a_weight_and_the_button_takes_all_back(
    browser: Any, address: str, three: Analysis
) -> None:
    shown = browser.new_page()
    shown.goto(address)
    begun = shown.evaluate(TABLE)
    first = shown.get_by_role("slider", name="task-0")
    first.focus()
    for _ in range(12):
        shown.keyboard.press("ArrowRight")
    assert first.input_value() == "4"
    assert first.get_attribute("aria-valuetext") == "weight 4, 67 %"
    assert shown.evaluate(TABLE) != begun
    shown.get_by_role("button", name="Equal weights").press("Enter")
    assert shown.evaluate(TABLE) == begun
    set_to(shown, [0, 0, 0])
    assert shown.locator(".weights [role=status]").inner_text() == weights.NOTHING
    assert shown.evaluate(TABLE) == by_numpy(three, [0, 0, 1])
    shown.close()


@pytest.mark.slow
def test_without_scripts_no_weight_is_offered(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(address)
    assert not shown.locator(".weights").is_visible()
    assert shown.locator(".across table").first.locator("tbody tr").count() == len(SHARES)
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_weights_fit_the_screen_and_axe_finds_nothing(
    browser: Any, address: str, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="run .ci/browser")
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    shown.goto(address)
    set_to(shown, [3, 1, 0])
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert axe.Axe().run(shown).response["violations"] == []
    shown.close()
