"""What a column of labels means, asked of the rule itself; whole files are in test_table.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.config import DataSettings
from tunebench.data.labels import alike, decide
from tunebench.data.own_file import read_table, read_task
from tunebench.errors import UserError


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        (["Yes", "no", "yes"], "'Yes', 'yes'"),
        (["caf\u00e9", "cafe\u0301", "x"], "'caf\u00e9', 'cafe\u0301'"),
        (["very good", "very\u00a0good"], "'very good', 'very\\xa0good'"),
        (["yes", "yes\u200b"], "'yes', 'yes\\u200b'"),
        (["0", "-0", "1"], "'0', '-0'"),
        (["1", "01", "+1", "2"], "'1', '01', '+1'"),
        (["1.0", "1", "2"], "'1.0', '1'"),
        (["ﬁne", "fine", "A", "a"], "'ﬁne', 'fine'; 'A', 'a'"),
    ],
)
def test_classes_that_look_alike_are_told(classes: list[str], shown: str) -> None:
    assert alike(classes) == [f"labels that look alike are classes apart: {shown}"]


@pytest.mark.parametrize("classes", [["yes", "no"], ["a b", "ab"], ["1", "2", "10"], []])
def test_classes_that_differ_to_the_eye_are_no_news(classes: list[str]) -> None:
    assert alike(classes) == []


def test_a_column_in_two_cases_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "a,Yes\nb,yes\nc,no\n" * 4)
    data = read_task(path, DataSettings())
    assert data.task.labels == ("Yes", "no", "yes")
    assert [note for note in data.notes if "look alike" in note]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (["1e101", "-1e308", "3"], "numbers from -1e+308 to 1e+101 cannot be standardised"),
        (["1e-320", "2e-320", "0.0"], "numbers from 0 to 1.99998e-320 cannot be standardised"),
    ],
)
def test_numbers_whose_squares_no_float_holds_are_refused(
    tmp_path: Path, values: list[str], shown: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text("\n".join(["text,label", *(f"a,{value}" for value in values * 4)]))
    with pytest.raises(UserError, match="in another unit") as error:
        read_task(path, DataSettings(kind="number"))
    assert shown in str(error.value)


def test_a_test_value_out_of_range_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("text,label\n" + "a,0.5\nb,1.5\n" * 9)
    (tmp_path / "test.csv").write_text("text,label\na,0.5\nb,1e200\n")
    with pytest.raises(UserError, match=r"test\.csv:3: .*a number is needed, but got '1e200'"):
        read_task(tmp_path / "own.csv", DataSettings(test=str(tmp_path / "test.csv")))


def test_a_label_as_long_as_a_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"text,label\na,{'y' * 1_000}\nb,n\nc,{'z' * 1_001}\n")
    with pytest.raises(UserError, match=r"own\.csv:4: .*at most 1,000 characters.* has 1,001"):
        read_task(path, DataSettings())


def test_a_column_of_twenty_thousand_classes_is_read(tmp_path: Path) -> None:
    # What looks at all classes for each row or each class would take minutes.
    path = tmp_path / "own.csv"
    rows = [f"a text,{number // 3:05d}" for number in range(60_000)]
    path.write_text("\n".join(["text,label", *rows]))
    data = read_task(path, DataSettings(kind="classes"))
    assert len(data.task.labels) == 20_000
    assert len(data.test) == 12_000
    assert [data.task.labels[int(label)] for label in data.train.labels[:3]] == [
        rows[line - 2].split(",")[1] for line in data.train.lines[:3]
    ]


@pytest.mark.parametrize("single", [1, 5, 6])
def test_at_most_five_of_the_classes_with_one_row_are_named(tmp_path: Path, single: int) -> None:
    labels = ["often", "often", *(f"only{n}" for n in range(single))]
    path = tmp_path / "file.tsv"
    path.write_text("\n".join(["text\tlabel", *(f"a text\t{label}" for label in labels)]))
    with pytest.raises(UserError) as error:
        decide(read_table(path), "label", labels)
    named = [f"'only{n}'" for n in range(min(single, 5))] + ["…"] * (single > 5)
    assert str(error.value).endswith(f" {single} of {single + 1} have one: {', '.join(named)}")
