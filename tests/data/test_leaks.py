"""A row that is tested neither trains nor selects, and copies of texts are no leak alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tunebench.config import DataSettings
from tunebench.data.leaks import LeakError, check_parts, check_test, shared
from tunebench.data.load import load_task
from tunebench.data.tasks import Examples, TaskData


def rows(*numbers: int, split: str = "train", named: bool = False) -> Examples:
    """Rows whose text, label and id come from a number."""
    return Examples(
        ids=tuple(f"made-{split}-{n}" for n in numbers),
        texts=tuple((f"text {n}",) for n in numbers),
        labels=tuple(float(n % 2) for n in numbers),
        lines=tuple(n + 2 for n in numbers),
        own_ids=tuple(f"id{n}" for n in numbers) if named else (),
    )


def test_a_row_is_the_same_by_id_texts_and_label_together() -> None:
    train = rows(0, 1, 2, 3)
    assert shared(train, rows(3, 4, 1)) == [2, 0]
    assert shared(train, rows(3, 4, 1, split="test")) == []
    other_label = dataclasses.replace(rows(1), labels=(0.0,))
    other_text = dataclasses.replace(rows(1), texts=(("another",),))
    assert shared(train, other_label) == []
    assert shared(train, other_text) == []


def test_ids_of_two_files_are_the_same_row_only_with_the_same_content() -> None:
    train = rows(0, 1, 2, named=True)
    assert shared(train, rows(2, 5, split="test", named=True)) == [0]
    # Both files number their rows from 0.
    numbered = dataclasses.replace(rows(7, 8, 9, split="test"), own_ids=("id0", "id1", "id2"))
    assert shared(train, numbered) == []
    assert shared(train, rows(2, split="test")) == []


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        ((4, 5), (5, 6), "one test row stands among the validation rows too (the first is 'made-"),
        ((4, 5), (2, 6), "one test row stands among the training rows too"),
        ((3, 4), (6, 7), "one validation row stands among the training rows too"),
        ((4, 5), (4, 5), "2 test rows stand among the validation rows too"),
    ],
)
def test_parts_that_share_a_row_are_refused(
    validation: tuple[int, ...], test: tuple[int, ...], message: str
) -> None:
    with pytest.raises(LeakError) as refused:
        check_parts("made", rows(0, 1, 2, 3), rows(*validation), {"test": rows(*test)})
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_further_test_set_is_held_apart_too_and_two_tests_may_share() -> None:
    parts = rows(0, 1), rows(2, 3)
    check_parts("made", *parts, {"test": rows(4, 5), "mismatched": rows(4, 6)})
    with pytest.raises(LeakError, match="mismatched row stands among the validation rows"):
        check_parts("made", *parts, {"test": rows(4, 5), "mismatched": rows(3)})


def data(train: Examples, test: Examples) -> TaskData:
    """A task of these rows."""
    task = load_task("sentiment", DataSettings(source="pocket")).task
    return TaskData(task, train, test, "made up", "", {})


def test_a_copy_of_a_text_is_no_leak_but_a_test_of_nothing_else_is() -> None:
    train = rows(0, 1, 2, 3)
    check_test(data(train, rows(2, 3, 9, split="test")))
    with pytest.raises(LeakError, match=r"every test row \(of 2\) also stands in the training"):
        check_test(data(train, rows(2, 3, split="test")))
    flipped = dataclasses.replace(rows(2, 3, split="test"), labels=(1.0, 0.0))
    check_test(data(train, flipped))


def test_labels_that_are_lists_are_compared_as_any_others() -> None:
    train, test = (
        dataclasses.replace(one, labels=tuple([1, 0] for _ in one.ids))
        for one in (rows(0, 1), rows(1, 5))
    )
    assert shared(train, test) == [0]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("text\tlabel\na\tx\nb\ty\nc\tx\nd\ty\n", None, "every test row (of 4) also stands"),
        (
            "text\tlabel\na\tx\nb\ty\nc\tx\nd\ty\n",
            "text\tlabel\nb\ty\n",
            "every test row (of 1) also stands",
        ),
        (
            "id\ttext\tlabel\n1\ta\tx\n2\tb\ty\n3\tc\tx\n4\td\ty\n",
            "id\ttext\tlabel\n3\tc\tx\n9\te\ty\n",
            "one test row stands among the training rows too (the first is '3' in line 2)",
        ),
    ],
)
def test_a_test_file_of_training_rows_is_refused(
    tmp_path: Path, train: str, test: str | None, message: str
) -> None:
    path = tmp_path / "train.tsv"
    path.write_text(train)
    other = path if test is None else tmp_path / "test.tsv"
    other.write_text(train if test is None else test)
    task = load_task(str(path), DataSettings(test=str(other)))
    with pytest.raises(LeakError) as refused:
        check_test(task)
    assert message in str(refused.value)
