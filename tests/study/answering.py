"""A comparison on a user's own file, the file deleted, and what it stored of its test rows."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tunebench import load_task
from tunebench.__main__ import main
from tunebench.config import DataSettings
from tunebench.records import Result
from tunebench.store.store import Store

TRAIN_ROWS, TEST_ROWS = 40, 24


TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Compared:
    """A comparison that is over, with nothing left of its data but a copy of the test file."""

    out: Path
    copy: Path
    rows: Sequence[Mapping[str, str]]
    """The test rows as they stand in the copy."""

    def results(self) -> list[Result]:
        """The rows of its table, every one of them complete."""
        store = Store(self.out)
        plan = store.plan()
        assert plan is not None
        results = [store.result(planned.cell) for planned in plan.cells]
        whole = [result for result in results if result is not None]
        assert len(whole) == len(plan.cells)
        assert {result.status for result in whole} == {"complete"}
        return whole

    def stored(self, result: Result) -> list[dict[str, Any]]:
        """The predictions that the comparison wrote, in the order of the test rows."""
        table: list[dict[str, Any]] = pq.read_table(self.out / result.predictions).to_pylist()
        return table


def write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def reviews(count: int, split: str) -> list[dict[str, str]]:
    """Pocket reviews, some of them with what a CSV file must quote."""
    data = load_task("sentiment", DataSettings(source="pocket"))
    part = data.train if split == "train" else data.test
    odd = ("{}", '"{}", they say', "{}\nand on a second line", "  {} – été, 夏 ", "{};\t{}")
    return [
        {
            "nr": f"{split}-{n}",
            "body": odd[n % len(odd)].replace("{}", part.texts[n][0]),
            "mood": data.task.labels[int(part.labels[n])],
        }
        for n in range(count)
    ]


def pairs(count: int, split: str) -> list[dict[str, str]]:
    """Two texts and a class for each row."""
    single = reviews(count + 1, split)
    return [
        {
            "first": one["body"],
            "second": other["body"],
            "same": "yes" if one["mood"] == other["mood"] else "no",
        }
        for one, other in itertools.pairwise(single)
    ]


def values(count: int, split: str) -> list[dict[str, str]]:
    """Two texts and a number for each row."""
    return [
        {"first": row["first"], "second": row["second"], "alike": f"{n % 7 / 2:.2f}"}
        for n, row in enumerate(pairs(count, split))
    ]


def run_comparison(
    folder: Path,
    out: Path,
    make: Callable[[int, str], list[dict[str, str]]],
    text: str,
    label: str,
    *flags: str,
) -> Compared:
    """Type `compare` in the folder of the data, then delete that folder, and go elsewhere."""
    folder.mkdir()
    train, test = make(TRAIN_ROWS, "train"), make(TEST_ROWS, "test")
    write_table(folder / "questions.csv", train)
    write_table(folder / "questions-test.csv", test)
    elsewhere = folder.parent / "quite" / "elsewhere"
    elsewhere.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copy(folder / "questions-test.csv", elsewhere / "test-copy.csv"))
    os.chdir(folder)
    line = [
        *("compare", "questions.csv", "--test", "questions-test.csv", "--text", text),
        *("--label", label, "--out", os.path.relpath(out), "--data.max_length", "48"),
        *("--search.trials=1", "--search.trial_epochs=1", "--search.epochs=1"),
        *("--train.threads=1", "--train.accelerator=cpu", "--train.batch_size=8"),
        *flags,
    ]
    assert main(line) == 0
    os.chdir(elsewhere)
    shutil.rmtree(folder)
    return Compared(out, copy, test)


def assert_stored(
    answers: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]
) -> None:
    """Labels are equal, probabilities and numbers within the tolerance."""
    assert len(answers) == len(stored) == TEST_ROWS
    for answer, row in zip(answers, stored, strict=True):
        named = {key.removeprefix("probability_"): p for key, p in row.items() if "probab" in key}
        if named:
            assert answer["label"] == row["prediction"]
            assert answer["probabilities"] == pytest.approx(named, abs=TOLERANCE, rel=0)
        else:
            assert answer.keys() == {"label"}
            assert answer["label"] == pytest.approx(row["prediction"], abs=TOLERANCE, rel=1e-6)
