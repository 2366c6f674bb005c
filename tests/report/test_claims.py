"""Claims on the page, in Markdown and in analysis.json: those that these runs bear on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.claims import CLAIMS, Evidence, checked, known
from tunebench.report import json as json_file
from tunebench.report import markdown, page
from tunebench.report.claims import TITLE, figure_text, finding_texts, untested_line, written

from tests.analysis.claims.planted import arm, finding, measurement
from tests.records import comparison

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    result = checked(Evidence((arm("lora", 0.9), arm("prompt", 0.6))))
    return analyse(comparison(), claims=result)


def test_what_was_tested_has_a_line_and_what_was_not_is_named(analysis: Analysis) -> None:
    for source in (markdown.text(analysis), page.text(analysis, {})):
        assert TITLE in source
        assert "prompt tuning is at least 4 points behind" in source
        assert "Not tested by these runs: C2, C3, C4" in source.replace("\\_", "_")
    assert "Merging LoRA changes logits" not in markdown.text(analysis)


def test_without_a_claim_that_was_tested_there_is_no_section() -> None:
    for claims in ((), checked(Evidence())):
        analysis = analyse(comparison(), claims=claims)
        assert TITLE not in markdown.text(analysis)
        assert TITLE not in page.text(analysis, {})
    assert untested_line(analyse(comparison())) == ""


def test_analysis_json_has_every_claim_and_the_page_of_the_protocol_every_key(
    analysis: Analysis,
) -> None:
    content = json.loads(json_file.text(analysis))
    assert [one["claim"] for one in content["claims"]] == [claim.name for claim in known()]
    first = content["claims"][0]
    assert first["low"] < first["figure"] < first["high"]
    described = (DOCS / "report.md").read_text("utf-8").split("| `claims` |")[1].split("\n")[0]
    assert [key for key in first if f"`{key}`" not in described] == []


def test_the_page_of_claims_has_each_with_its_source_and_what_it_needs() -> None:
    text = (DOCS / "claims.md").read_text("utf-8")
    for claim in known():
        assert f"| {claim.name} | {claim.sentence} |" in text
        assert claim.needs in text
    for claim in CLAIMS:
        assert f"| {claim.name} | {claim.source} |" in text


def test_a_figure_says_what_it_is_with_interval_parts_and_runs() -> None:
    one = finding("C1", arm("lora", 0.9), arm("full", 0.95), arm("prompt", 0.6))
    text = figure_text(one)
    assert text.startswith("Lora less prompt on made-up: +0.")
    assert text.endswith("); 2 of 2 parts hold; 15 runs.")
    assert finding_texts(one)[:2] == ("C1", "reproduced")
    exact = figure_text(finding("C16", measurement("merge", "lora", fp32=0.0, bf16=0.01)))
    assert " to " not in exact
    single = finding("adapter", arm("adapter", 0.8, seeds=1, ratios=[(1.1, 1.0)]))
    assert "(one value, no interval)" in figure_text(single)
    assert figure_text(finding("C1")) == ""


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.1234, "score", "+0.123"),
        (-0.05, "share", "-5.0 %"),
        (27.93, "times", "27.9×"),
        (1.2e-7, "number", "1.2e-07"),
    ],
)
def test_numbers_are_written_by_their_unit(value, unit, shown) -> None:
    assert written(value, unit) == shown


def test_markup_in_a_claim_is_text() -> None:
    one = finding("C1", arm("lora", 0.9), arm("prompt", 0.6))
    hostile = replace(one, claim=replace(one.claim, sentence="<script>alert(1)</script>"))
    analysis = analyse(comparison(), claims=(hostile,))
    assert "<script>alert" not in page.text(analysis, {})
