"""Published figures on the page and in Markdown: beside ours, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

from tunebench.analysis import analyse
from tunebench.analysis.ledger import OFFICIAL_DATA, select
from tunebench.records import Comparison
from tunebench.report import markdown, page
from tunebench.report.published import TITLE

from tests.records import comparison


def records_on(backbone: str) -> Comparison:
    """A comparison on GLUE's own rows."""
    records = comparison(("sst2",), ("lora", "head"), (0,))
    rows = [replace(r, backbone=backbone, data_source=OFFICIAL_DATA) for r in records.results]
    return replace(records, results=tuple(rows))


def test_a_figure_stands_beside_ours_with_its_protocol() -> None:
    records = records_on("roberta-base")
    analysis = analyse(records)
    source = markdown.text(analysis)
    (section,) = (part for part in source.split("\n### ") if part.startswith(TITLE))
    ours = records.results[0].score
    for figure in select(["sst2"], ["lora"]):
        if figure.model == "roberta-base":
            start = f"| lora | accuracy | {ours:.3f} | {figure.score:.3f} ± {figure.spread:.3f} |"
            assert start in section
    assert "median of 5 seeds; chosen on dev" in section
    assert "| head |" not in section.partition("\n## ")[0]
    shown = page.text(analysis, {})
    assert f"<summary>{TITLE}</summary>" in shown
    assert "<td>0.951 ± 0.002</td>" in shown


def test_without_a_comparable_figure_there_is_no_section() -> None:
    analysis = analyse(records_on("minilm"))
    assert TITLE not in markdown.text(analysis)
    assert TITLE not in page.text(analysis, {})
