from __future__ import annotations

from dataclasses import replace

from tunebench.analysis import analyse
from tunebench.records import Comparison
from tunebench.report.markdown import escape, text

from tests.records import comparison, result


def markdown_of(records: Comparison) -> str:
    return text(analyse(records))


def tables(source: str) -> list[list[str]]:
    """The runs of lines that are tables."""
    blocks = [block.splitlines() for block in source.split("\n\n")]
    return [block for block in blocks if block[0].startswith("|")]


def test_every_line_of_a_table_has_as_many_cells_as_its_header() -> None:
    records = comparison(status={("sst2", "lora", 0): "error", ("stsb", "head", 1): "missing"})
    blocks = tables(markdown_of(records))
    assert len(blocks) == 1 + len(records.tasks) + 1
    for table in blocks:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_every_method_and_reference_is_a_row_and_failures_say_why() -> None:
    records = comparison(("sst2",), seeds=(0,), status={("sst2", "lora", 0): "diverged"})
    source = markdown_of(records)
    assert "| lora | - |" in source
    assert "accuracy | accuracy" not in source
    assert "0 of 1 complete; seed 0: diverged made-up diverged" in source
    assert source.count("| no training |") == 2


def test_the_best_row_is_bold() -> None:
    records = comparison(("sst2",), seeds=(0,))
    best = max(records.results, key=lambda r: r.score or 0)
    assert f"| **{best.method}** | **{best.score:.3f}** |" in markdown_of(records)


def test_no_character_of_a_name_means_anything_to_markdown() -> None:
    assert escape("a|b *c* <script> `d`\n# e") == r"a\|b \*c\* \<script\> \`d\` \# e"


def test_a_reason_cannot_break_out_of_its_cell() -> None:
    failed = replace(result("sst2", "lora", 0, "error"), reason="a | b\n\n# <img src=x>")
    source = markdown_of(replace(comparison(("sst2",), ("lora",), (0,)), results=(failed,)))
    assert r"a \| b \# \<img src=x\>" in source
    assert "\n# <img" not in source


def test_the_command_stands_in_a_fence_that_it_cannot_close() -> None:
    source = markdown_of(replace(comparison(("sst2",)), command="tunebench compare '```'"))
    assert "````\ntunebench compare '```'\n````" in source


def test_the_plan_the_data_and_the_budget_are_told() -> None:
    source = markdown_of(comparison(("sst2",)))
    assert "- Data: made-up records, no data (sst2)" in source
    assert "- Budget: 2 seeds, barely tuned (2 trials)" in source
    assert "- Cells: 4 planned = 4 complete + 0 diverged" in source
    assert "- the rows of sst2 were made up" in source


def test_what_was_left_out_stands_at_the_top_with_its_reason() -> None:
    records = replace(comparison(("sst2",)), left_out={"mrpc": "no file dev_ids.tsv"})
    top, _, _ = markdown_of(records).partition("## sst2")
    assert r"- Left out: mrpc: no file dev\_ids.tsv" in top
    assert "Left out" not in markdown_of(comparison(("sst2",)))
