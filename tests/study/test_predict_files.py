"""What `predict` takes and gives: pairs, standard input, the line, files of answers.

The oracle is the file of predictions that the comparison wrote on its test rows.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.study.answering import (
    TEST_ROWS,
    TOLERANCE,
    assert_stored,
    pairs,
    reviews,
    run_comparison,
    values,
)

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.usefixtures("records_only")
def test_a_number_is_answered_for_pairs_of_texts(
    tmp_path: Path, out: Path, checkpoint: Path, typed: Callable[..., str]
) -> None:
    flags = ("--backbone", str(checkpoint), "--methods=lora,head", "--data.kind=number")
    compared = run_comparison(tmp_path / "data", out, values, "first,second", "alike", *flags)
    for result in compared.results():
        stored = compared.stored(result)
        assert "probability_positive" not in stored[0]
        line = ("predict", result.cell, "--out", str(out), "--file", str(compared.copy))
        answers = json.loads(typed(*line, "--json"))
        assert_stored(answers, stored)
        assert len({answer["label"] for answer in answers}) > TEST_ROWS // 2
        table = list(csv.DictReader(io.StringIO(typed(*line)), delimiter="\t"))
        assert table[0].keys() == {"first", "second", "prediction"}
        assert [float(row["prediction"]) for row in table] == pytest.approx(
            [answer["label"] for answer in answers]
        )


@pytest.mark.usefixtures("records_only")
def test_pairs_come_from_a_table_from_standard_input_and_from_the_line(
    tmp_path: Path,
    out: Path,
    checkpoint: Path,
    typed: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = ("--backbone", str(checkpoint), "--methods=lora")
    compared = run_comparison(tmp_path / "data", out, pairs, "first,second", "same", *flags)
    (result,) = compared.results()
    stored = compared.stored(result)
    run = ("predict", "best", "--out", str(out), "--json")
    from_table = json.loads(typed(*run, "--file", str(compared.copy)))
    assert_stored(from_table, stored)
    renamed = compared.copy.with_name("renamed.jsonl")
    renamed.write_text(
        "".join(json.dumps({"b": r["second"], "a": r["first"]}) + "\n" for r in compared.rows)
    )
    assert json.loads(typed(*run, "--file", str(renamed), "--text", "a,b")) == from_table
    # A pair a line, a tab between: only texts without either can be written so.
    plain = [
        n for n, row in enumerate(compared.rows) if not {"\n", "\t"} & set("".join(row.values()))
    ]
    assert len(plain) > 3
    lines = "".join(f"{compared.rows[n]['first']}\t{compared.rows[n]['second']}\n" for n in plain)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    from_stdin = json.loads(typed(*run, "--file", "-"))
    words = [
        text for n in plain for text in (compared.rows[n]["first"], compared.rows[n]["second"])
    ]
    from_line = json.loads(typed(*run, *words))
    for answers in (from_stdin, from_line):
        assert [answer["label"] for answer in answers] == [stored[n]["prediction"] for n in plain]
        for answer, n in zip(answers, plain, strict=True):
            assert answer["probabilities"]["yes"] == pytest.approx(
                stored[n]["probability_yes"], abs=TOLERANCE
            )


@pytest.mark.usefixtures("records_only")
@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl"])
def test_a_file_of_answers_holds_texts_labels_and_probabilities(
    ending: str, tmp_path: Path, out: Path, checkpoint: Path, typed: Callable[..., str]
) -> None:
    flags = ("--backbone", str(checkpoint), "--methods=head")
    compared = run_comparison(tmp_path / "data", out, reviews, "body", "mood", *flags)
    stored = compared.stored(compared.results()[0])
    output = tmp_path / f"answers.{ending}"
    line = ("predict", "best", "--out", str(out), "--file", str(compared.copy))
    assert typed(*line, "--output", str(output)) == ""
    text = output.read_bytes().decode("utf-8")
    bodies = [row["body"] for row in compared.rows]
    if ending == "jsonl":
        rows = [json.loads(one) for one in text.split("\n")[:-1]]
        assert [row.pop("body") for row in rows] == bodies
        assert_stored(rows, stored)
        return
    # A CSV file keeps every text as it was; TSV is never quoted, and has blanks for tabs and lines.
    dialect: dict[str, Any] = {}
    if ending == "tsv":
        dialect = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
        bodies = [body.replace("\t", " ").replace("\n", " ") for body in bodies]
    table = list(csv.DictReader(io.StringIO(text, newline=""), **dialect))
    assert [row["body"] for row in table] == bodies
    assert [row["prediction"] for row in table] == [row["prediction"] for row in stored]
    for row, expected in zip(table, stored, strict=True):
        for name in ("probability_negative", "probability_positive"):
            assert float(row[name]) == pytest.approx(expected[name], abs=TOLERANCE)
