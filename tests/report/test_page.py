from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tunebench.analysis import analyse
from tunebench.records import Comparison, Curve, Reference
from tunebench.report.page import text

from tests.records import comparison, result

VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "\"><script>alert('x')</script>&amp; $\\frac$\n=cmd()"


def page_of(records: Comparison, run_ids: dict[str, str]) -> str:
    return text(analyse(records), run_ids)


class Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def records() -> Comparison:
    return comparison(status={("stsb", "head", 1): "diverged"})


@pytest.fixture(scope="module")
def source(records: Comparison) -> str:
    return page_of(records, {r.cell: "ab12" * 8 for r in records.results})


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_every_element_is_closed_in_its_place(page: Page) -> None:
    assert page.open == []
    assert page.tags[0][0] == "html"


def test_no_identity_is_used_twice(page: Page) -> None:
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_every_reference_inside_a_drawing_has_its_target(page: Page, source: str) -> None:
    identities = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    wanted = {str(attributes["href"]).removeprefix("#") for attributes in page.all("use")}
    clips = set(re.findall(r"url\(#([^)]+)\)", source))
    assert wanted
    assert clips
    assert wanted | clips <= identities


def test_nothing_is_loaded_from_anywhere(page: Page, source: str) -> None:
    loading = {"src", "srcset", "data", "poster", "action", "background", "xlink:href"}
    assert not [attributes for _, attributes in page.tags if loading & set(attributes)]
    links = {
        str(attributes["href"])
        for name, attributes in page.tags
        if "href" in attributes and name != "a"
    }
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "@import" not in source
    assert not re.search(r"url\((?!#)", source)
    policy = [m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy[0]["content"]).startswith("default-src 'none'")


def test_runs_are_linked_to_the_local_server(page: Page) -> None:
    links = {str(attributes["href"]) for attributes in page.all("a")}
    assert "http://127.0.0.1:5000/#/runs/" + "ab12" * 8 in links


def test_dark_screens_phones_and_paper_are_provided_for(source: str) -> None:
    assert "prefers-color-scheme: dark" in source
    assert "width=device-width" in source
    assert "@media print" in source


def test_the_drawings_take_the_pages_colours_and_keep_text_as_text(source: str) -> None:
    drawings = "".join(re.findall(r"<svg.*?</svg>", source, re.S))
    assert "var(--series-0)" in drawings
    assert "#0501" not in drawings
    assert "#000000" not in drawings
    assert "font-family" not in drawings
    assert re.search(r"<text[^>]*>lora</text>", drawings)


def test_each_method_has_a_point_that_tells_its_numbers(source: str, records: Comparison) -> None:
    titles = re.findall(r"<title>([^<]+)</title>", source)
    for task in records.tasks:
        done = [r for r in records.results if r.task == task and r.method == "lora"]
        score = sum(r.score for r in done if r.score is not None) / len(done)
        assert any(t.startswith("lora:") and f"{score:.3f}" in t for t in titles)


def test_failures_are_rows_with_status_and_reason(page: Page) -> None:
    words = " ".join(page.words)
    assert "diverged" in words
    assert "seed 1. made-up diverged" in words
    assert "7 of 8 cells complete" in words


def test_data_budget_command_versions_and_device_are_told(page: Page, records: Comparison) -> None:
    words = " ".join(page.words)
    for fact in (
        "made-up records, no data",
        "2 seeds, barely tuned",
        records.command,
        "torch 0.0.0",
        "made-up device",
        "the rows of sst2 were made up",
        "rank 8",
    ):
        assert fact in words


def test_hostile_names_and_reasons_are_only_text() -> None:
    failed = replace(result("sst2", "lora", 0, "error"), reason=HOSTILE)
    done = replace(result("sst2", "head", 0), hyperparameters={"x": HOSTILE})
    records = replace(
        comparison(("sst2",), ("lora", "head", HOSTILE), (0,)),
        results=(failed, done, replace(result("sst2", HOSTILE, 0))),
        sources={"sst2": HOSTILE},
        notes={"sst2": (HOSTILE,)},
        references=(Reference("sst2", HOSTILE, 0.5, 0.5, {}),),
        command=HOSTILE,
    )
    source = page_of(records, {done.cell: "<script>"})
    page = Page(source)
    assert page.open == []
    assert len(page.all("script")) == 1
    assert "<script>alert" not in source


def test_one_seed_shows_no_spread_and_five_do() -> None:
    one = page_of(comparison(("sst2",), seeds=(0,)), {})
    five = page_of(comparison(("sst2",), seeds=(0, 1, 2, 3, 4)), {})
    spread = re.compile(r"\d\.\d{3} ± \d\.\d{3}")
    assert not spread.search(one)
    assert "one seed, barely tuned" in one
    assert spread.search(five)


def test_a_comparison_in_which_nothing_is_complete_has_a_page() -> None:
    cells = {("sst2", m, s): "missing" for m in ("lora", "head") for s in (0, 1)}
    page = Page(page_of(comparison(("sst2",), status=cells), {}))  # type: ignore[arg-type]
    assert page.open == []
    assert "No cell is complete yet" in " ".join(page.words)
    assert page.all("svg") == []


def test_the_same_records_make_the_same_page(records: Comparison) -> None:
    assert page_of(records, {}) == page_of(records, {})


def test_a_tracking_server_is_linked_without_its_credentials() -> None:
    records = comparison(("sst2",), ("lora",), (0,))
    records = replace(
        records,
        experiment={**records.experiment, "tracking_uri": "https://me:canary@host:8080/ml/"},
        command="tunebench compare sst2 --tracking-uri https://me:canary@host:8080/ml/",
    )
    source = page_of(records, {records.results[0].cell: "abc"})
    assert "https://host:8080/ml/#/runs/abc" in source
    assert "canary" not in source


def test_an_address_that_is_no_web_address_is_not_linked() -> None:
    records = comparison(("sst2",), ("lora",), (0,))
    records = replace(records, experiment={"tracking_uri": "javascript:alert(1)"})
    assert "javascript:" not in page_of(records, {records.results[0].cell: "abc"})


def test_a_curve_with_a_step_too_many_is_drawn_as_far_as_both_go() -> None:
    cell = replace(result("sst2", "lora", 0), curve=Curve((1, 2, 3), (0.5, 0.4)))
    records = replace(comparison(("sst2",), ("lora",), (0,)), results=(cell,))
    assert "lora, seed 0" in page_of(records, {})


def test_what_was_left_out_stands_at_the_top_with_its_reason() -> None:
    records = replace(comparison(("sst2",)), left_out={"mrpc": "no file <b>"})
    top, _, _ = page_of(records, {}).partition("</header>")
    assert "Left out: mrpc: no file &lt;b&gt;" in top
    assert "Left out" not in page_of(comparison(("sst2",)), {})
