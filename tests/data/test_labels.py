"""What a column of labels means: classes or numbers, and what notes say of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tunebench.config import DataSettings
from tunebench.data.labels import alike, decide
from tunebench.data.own_file import read_table, read_task
from tunebench.errors import UserError

from tests.data.small_tables import LETTERS, tsv


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


@pytest.mark.parametrize(
    ("train", "test", "named"),
    [
        (["true", '"true"', "false"], ["true"], "true"),
        (["1", '"1"', '"2"', "2"], ["1"], "1, 2"),
        (["1", "2"], ['"1"'], "1"),
        (["0.5", '"0.5"', '"a"'], ["0.5"], "0.5"),
        (["true", '"yes"'], ["true"], ""),
        (["1", '"1.0"', '"x"'], ["1"], ""),
        (["0.5", '"0.5"', "1.5"], ["0.5"], ""),
    ],
)
def test_labels_in_quotes_and_without_are_one_class_with_a_note(
    tmp_path: Path, train: list[str], test: list[str], named: str
) -> None:
    for name, labels in (("own", train * 2), ("test", test)):
        lines = [f'{{"text": "a", "label": {label}}}\n' for label in labels]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    data = read_task(tmp_path / "own.jsonl", DataSettings(test=str(tmp_path / "test.jsonl")))
    assert [note for note in data.notes if "quotes" in note] == (
        [f"labels in quotes and without are one class: {named}"] if named else []
    )
    assert len(set(data.task.labels)) == len(data.task.labels)


def test_a_table_that_has_no_quotes_of_its_own_says_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text('text,label\na,"1"\nb,1\nc,2\nd,2\n')
    (tmp_path / "test.jsonl").write_text('{"text": "a", "label": 1}\n')
    data = read_task(tmp_path / "own.csv", DataSettings(test=str(tmp_path / "test.jsonl")))
    assert data.task.labels == ("1", "2")
    assert not [note for note in data.notes if "quotes" in note]


RULES = {
    "integers": (["3", "1", "2", "10"] * 5, ("1", "2", "3", "10")),
    "many integers": ([str(n) for n in range(21)], ()),
    "decimals": (["0.5", "1", "2.5", "4"] * 5, ()),
    "text among numbers": (["1", "2", "none", "2"] * 5, ("1", "2", "none")),
    "leading zeros": (["01", "1", "2", "2"] * 5, ("01", "1", "2")),
    "not finite": (["1", "inf", "2", "2"] * 5, ("1", "2", "inf")),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_law_of_labels(tmp_path: Path, rule: str) -> None:
    labels, classes = RULES[rule]
    rows = [(f"t {n}", label) for n, label in enumerate(labels)]
    data = read_task(tsv(tmp_path / "rule.tsv", rows), DataSettings())
    assert data.task.labels == classes
    assert data.task.metrics == (("accuracy",) if classes else ("pearson", "spearman"))
    assert any(note.startswith("labels 'label': ") for note in data.notes)


KINDS = {
    "classes": ([str(n % 25) for n in range(150)], "classes", tuple(map(str, range(25)))),
    "ratings": (["1.0", "5.0", "2.0", "5.0", "1.0", "2.0"] * 2, "classes", ("1.0", "2.0", "5.0")),
    "numbers": (["1", "2", "3", "3"] * 3, "number", ()),
}


@pytest.mark.parametrize("case", KINDS)
def test_the_kind_of_labels_can_be_said(tmp_path: Path, case: str) -> None:
    labels, kind, classes = KINDS[case]
    path = tsv(tmp_path / "k.tsv", [(f"t {n}", label) for n, label in enumerate(labels)])
    task = read_task(path, DataSettings(kind=kind)).task  # type: ignore[arg-type]
    assert (task.labels, task.objective) == (
        classes,
        "classification" if classes else "regression",
    )


def test_a_kind_that_does_not_fit_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tsv(tmp_path / "k.tsv", LETTERS)
    with pytest.raises(UserError, match=r"k\.tsv:2: .*'no' is the first of 20 labels"):
        read_task(path, DataSettings(kind="number"))


def test_what_a_program_writes_for_a_missing_label_may_be_a_class(tmp_path: Path) -> None:
    path = tsv(tmp_path / "o.tsv", [(f"a {n}", ("NA", "EU")[n % 2]) for n in range(10)])
    with pytest.raises(UserError, match="'NA' is what programs write"):
        read_task(path, DataSettings())
    assert read_task(path, DataSettings(kind="classes")).task.labels == ("EU", "NA")
