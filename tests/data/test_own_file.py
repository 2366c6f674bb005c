"""Which rows of a user's own file are held out, and what reading one leaves as it was."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tunebench.config import DataSettings
from tunebench.data.own_file import HELD_OUT, read_table, read_task
from tunebench.data.split import hold_out
from tunebench.errors import UserError


def _written(path: Path, labels: list[str]) -> Path:
    rows = [f"text {n},{label}" for n, label in enumerate(labels)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


@pytest.mark.parametrize("labels", [["a", "b"] * 20, [f"{n}.5" for n in range(40)]])
def test_the_held_out_rows_are_those_that_the_note_s_seed_draws(
    tmp_path: Path, labels: list[str]
) -> None:
    whole = read_task(
        _written(tmp_path / "rows.csv", labels),
        DataSettings(test=str(_written(tmp_path / "test.csv", labels))),
    )
    split = read_task(tmp_path / "rows.csv", DataSettings())
    assert "seed 0" in " ".join(split.notes)
    assert (split.train, split.test) == hold_out(whole.train, whole.task, share=HELD_OUT, seed=0)
    other = hold_out(whole.train, whole.task, share=HELD_OUT, seed=1)
    assert split.test != other[1]


@pytest.mark.parametrize("text", ["text,label\na,x\n", '"a,b\n'])
def test_reading_leaves_the_limit_of_the_csv_module_as_it_was(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    before = csv.field_size_limit(12_345)
    try:
        if text.startswith('"'):
            with pytest.raises(UserError, match=r"rows\.csv:1: a row that is not CSV"):
                read_table(path)
        else:
            read_table(path)
        assert csv.field_size_limit() == 12_345
    finally:
        csv.field_size_limit(before)
