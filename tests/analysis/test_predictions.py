"""Stored answers are read back, and a row that gives one answer to everything is marked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tunebench.analysis import Predictions, analyse, read_from
from tunebench.analysis.predictions import joined
from tunebench.records import Comparison, Result
from tunebench.report import write
from tunebench.report.console import plain, written
from tunebench.report.terminal import show

from tests.records import comparison

REMARK = "seed 0 gives every test example the same answer"


def store(out: Path, name: str, **columns: list[Any]) -> None:
    """Writes a Parquet file."""
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def one_cell(predictions: str = "predictions/cell.parquet") -> Comparison:
    """A comparison of one cell that names a file."""
    records = comparison(("sst2",), ("lora",), (0,))
    return replace(records, results=(replace(records.results[0], predictions=predictions),))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    records = one_cell()
    store(
        tmp_path,
        records.results[0].predictions,
        id=["a", "b"],
        label=["yes", "no"],
        prediction=["yes", "yes"],
        probability_yes=[0.75, 0.5],
    )
    assert read_from(tmp_path)(records.results[0]) == Predictions(
        ("a", "b"), ("yes", "no"), ("yes", "yes"), {"probability_yes": [0.75, 0.5]}
    )


@pytest.mark.parametrize(
    ("labels", "answers", "marked"),
    [
        (["yes", "no"], ["no", "no"], True),
        (["yes", "no"], ["no", "yes"], False),
        (["no", "no"], ["no", "no"], False),
        ([0.25, 1.5], [0.5, 0.5], True),
        ([["a"], ["a", "b"]], [["a"], ["a"]], True),
    ],
)
def test_a_row_that_gives_one_answer_only_is_marked_in_every_table(
    labels: list[Any], answers: list[Any], marked: bool, tmp_path: Path
) -> None:
    records = one_cell()
    store(tmp_path, records.results[0].predictions, id=[1, 2], label=labels, prediction=answers)
    analysis = analyse(records, read_from(tmp_path))
    assert analysis.tasks[0].rows[0].remarks == ((REMARK,) if marked else ())
    console = plain()
    show(analysis, tmp_path, console)
    _, _, markdown, page = (path.read_text("utf-8") for path in write(analysis, tmp_path, {}))
    for text in (written(console), markdown, page):
        assert (REMARK in text) == marked


def test_without_a_reader_nothing_is_said_of_the_answers(tmp_path: Path) -> None:
    records = one_cell()
    store(tmp_path, records.results[0].predictions, id=[1, 2], label=[0, 1], prediction=[0, 0])
    assert analyse(records).tasks[0].rows[0].remarks == ()


@pytest.mark.parametrize("content", [b"", b"no parquet at all", None])
def test_a_file_that_is_gone_or_damaged_counts_as_none(
    content: bytes | None, tmp_path: Path
) -> None:
    records = one_cell("cell.parquet")
    if content is not None:
        (tmp_path / "cell.parquet").write_bytes(content)
    assert read_from(tmp_path)(records.results[0]) is None
    assert analyse(records, read_from(tmp_path)).tasks[0].rows[0].remarks == ()


def test_a_file_of_another_layout_counts_as_none(tmp_path: Path) -> None:
    records = one_cell("cell.parquet")
    store(tmp_path, "cell.parquet", something=[1, 2])
    assert read_from(tmp_path)(records.results[0]) is None


def test_a_file_outside_the_folder_is_not_opened(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    store(tmp_path, "secret.parquet", id=[1], label=[0], prediction=[0])
    (out / "link.parquet").symlink_to(tmp_path / "secret.parquet")
    for name in ("../secret.parquet", str(tmp_path / "secret.parquet"), "link.parquet"):
        result: Result = one_cell(name).results[0]
        assert read_from(out)(result) is None


def test_the_answers_of_several_cells_follow_each_other() -> None:
    first = Predictions(("a", "b"), ("1", "0"), ("1", "1"), {"line": [2, 3], "probability_1": [1]})
    second = Predictions(("c",), ("0",), ("1",), {"line": [4], "text": ["x"]})
    third = Predictions(("d",), ("1",), ("0",), {"text": ["y"], "line": [5]})
    assert joined((first,)) == first
    assert joined((first, second)) == Predictions(
        ("a", "b", "c"), ("1", "0", "0"), ("1", "1", "1"), {"line": [2, 3, 4]}
    )
    assert joined((third, second, first)).ids == ("d", "c", "a", "b")
    assert joined((third, second)).more == {"text": ["y", "x"], "line": [5, 4]}


@pytest.mark.parametrize("lacking", ["id", "label", "prediction"])
def test_a_file_with_the_three_columns_alone_is_read_and_one_without_any_of_them_is_not(
    lacking: str, tmp_path: Path
) -> None:
    columns = {"id": ["a"], "label": ["1"], "prediction": ["0"]}
    store(tmp_path, "cell.parquet", **columns)
    read = read_from(tmp_path)
    assert read(one_cell("cell.parquet").results[0]) == Predictions(("a",), ("1",), ("0",), {})
    del columns[lacking]
    store(tmp_path, "cell.parquet", **columns)
    assert read(one_cell("cell.parquet").results[0]) is None
