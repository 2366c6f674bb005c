"""The folds of a user's own file: every row tested once, in proportion, never in its own train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold
from tunebench.config import DataSettings
from tunebench.data.folds import divide, read_folds
from tunebench.data.load import load_task, load_tasks
from tunebench.data.split import train_validation_split
from tunebench.data.tasks import Examples, Task
from tunebench.errors import UserError

REGRESSION = Task("t", ("text",), "label", (), (), "", objective="regression")


def _task(classes: int) -> Task:
    return Task("t", ("text",), "label", tuple(f"class {n}" for n in range(classes)), (), "")


def _rows(labels: Sequence[float]) -> Examples:
    ids = tuple(f"t-train-{n}" for n in range(len(labels)))
    return Examples(ids, tuple((f"text {n}",) for n in range(len(labels))), tuple(labels))


def _classes(sizes: Sequence[int]) -> Examples:
    return _rows([float(label) for label, size in enumerate(sizes) for _ in range(size)])


def _file(path: Path, sizes: Sequence[int] = (12, 8)) -> Path:
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    lines = [f"text {n}\tc{label}" for n, label in enumerate(labels)]
    path.write_text("\n".join(["text\tlabel", *lines]) + "\n")
    return path


@given(sizes=st.lists(st.integers(6, 30), min_size=2, max_size=5), count=st.integers(2, 6))
def test_each_row_is_tested_once_and_classes_are_dealt_as_scikit_learn_deals_them(
    sizes: list[int], count: int
) -> None:
    rows = _classes(sizes)
    pairs = divide(rows, _task(len(sizes)), count)
    assert sorted(name for _, test in pairs for name in test.ids) == sorted(rows.ids)
    place = {name: number for number, name in enumerate(rows.ids)}
    for train, test in pairs:
        assert not set(train.ids) & set(test.ids)
        assert len(train) + len(test) == len(rows)
        for part in (train, test):
            order = [place[name] for name in part.ids]
            assert part == rows.take(sorted(order))
        assert min(Counter(train.labels)[float(n)] for n in range(len(sizes))) >= 2
        assert set(test.labels) == set(rows.labels)
    oracle = StratifiedKFold(count).split(rows.ids, rows.labels)
    for (_, test), (_, held) in zip(pairs, oracle, strict=True):
        assert Counter(test.labels) == Counter(rows.labels[row] for row in held)


@given(values=st.lists(st.integers(0, 50), min_size=12, max_size=90), count=st.integers(2, 4))
def test_values_are_dealt_evenly_over_their_ranks(values: list[int], count: int) -> None:
    pairs = divide(_rows([float(value) for value in values]), REGRESSION, count)
    assert sorted(name for _, test in pairs for name in test.ids) == sorted(_rows(values).ids)
    sizes = [len(test) for _, test in pairs]
    assert max(sizes) - min(sizes) <= 1
    # With the values below any value, too, no fold has much more than another: each bin is dealt.
    for bound in values:
        below = [sum(value < bound for value in test.labels) for _, test in pairs]
        assert max(below) - min(below) <= 1 + len(values) // 10 + 1


def test_a_row_s_fold_depends_on_its_id_and_not_on_the_order_of_the_file() -> None:
    rows, task = _classes([10, 7]), _task(2)
    other = rows.take(list(range(len(rows)))[::-1])
    one, two = (divide(each, task, 3) for each in (rows, other))
    assert [set(test.ids) for _, test in one] == [set(test.ids) for _, test in two]
    keyed = sorted(rows.ids[:10], key=lambda name: sha256(f"0\0{name}".encode()).digest())
    assert {name for name in one[1][1].ids if name in keyed} == set(keyed[1::3])


@pytest.mark.parametrize(
    ("sizes", "count", "text"),
    [
        ((9, 4), 5, "--folds: 5 folds need at least 5 rows of each class .*'class 1' has 4"),
        ((9, 3), 2, "--folds: 2 folds need at least 4 rows of each class .*'class 1' has 3"),
        ((9, 2), 3, "at least 3 rows .*'class 1' has 2"),
    ],
)
def test_more_folds_than_the_rarest_class_allows_are_refused(
    sizes: tuple[int, ...], count: int, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        divide(_classes(sizes), _task(2), count)


def test_as_many_folds_as_the_rarest_class_has_rows_are_taken() -> None:
    for size, count in ((3, 3), (4, 2), (5, 5)):
        pairs = divide(_classes([9, size]), _task(2), count)
        assert all(1.0 in test.labels for _, test in pairs)
        assert min(train.labels.count(1.0) for train, _ in pairs) >= 2


def test_a_correlation_needs_three_test_rows() -> None:
    assert len(divide(_rows([0.5 * n for n in range(9)]), REGRESSION, 3)) == 3
    with pytest.raises(UserError, match=r"3 test rows, so that 3 folds need at least 9 .* are 8"):
        divide(_rows([0.5 * n for n in range(8)]), REGRESSION, 3)


def test_each_fold_is_a_task_with_its_own_digest_and_says_what_it_is(tmp_path: Path) -> None:
    path = _file(tmp_path / "My reviews.tsv")
    folds = read_folds(path, DataSettings(), 4)
    assert [data.task.name for data in folds] == [f"my-reviews-fold{n}" for n in (1, 2, 3, 4)]
    marks = [(fold.task, fold.number, fold.count) for data in folds if (fold := data.fold)]
    assert marks == [("my-reviews", n, 4) for n in (1, 2, 3, 4)]
    assert len({data.digest for data in folds}) == 4
    source = "own file My reviews.tsv, K-fold cross-validation, K = 4, 20 rows"
    assert {data.source for data in folds} == {source}
    assert {data.task.labels for data in folds} == {("c0", "c1")}


def test_no_test_row_is_ever_trained_on_or_selected_on(tmp_path: Path) -> None:
    for data in read_folds(_file(tmp_path / "a.tsv"), DataSettings(), 4):
        fit, validation = train_validation_split(
            data.train, data.task, share=0.25, most=99, cap=0, seed=1
        )
        assert not {*fit.ids, *validation.ids} & {*data.test.ids}
        assert not {*fit.texts, *validation.texts} & {*data.test.texts}


def test_copies_of_a_row_that_other_folds_train_on_are_counted(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.tsv")
    text = path.read_text().splitlines()
    path.write_text("\n".join([*text, text[1], text[1]]) + "\n")
    tests = [data.test.texts.count(("text 0",)) for data in read_folds(path, DataSettings(), 4)]
    assert sum(tests) == 3
    copies = sum(count for count in tests if count < 3)
    note = f"{copies} of 22 test inputs also occur in their fold's train"
    assert note in read_folds(path, DataSettings(), 4)[0].notes


def test_the_door_says_once_what_holds_for_all_folds(tmp_path: Path) -> None:
    lines: list[str] = []
    path = str(_file(tmp_path / "a.tsv", (12, 10)))
    loaded = load_tasks([path], DataSettings(folds=4), say=lines.append)
    assert len(loaded) == 4
    assert lines[0] == (
        "a: own file a.tsv, K-fold cross-validation, K = 4, 22 rows; 5 to 6 test rows in each "
        "fold, all others train"
    )
    assert len(lines) == len(set(lines))
    assert any("each of 22 rows is a test row once" in line for line in lines)


def test_folds_go_with_one_own_file_alone(tmp_path: Path) -> None:
    path = str(_file(tmp_path / "a.tsv"))
    with pytest.raises(UserError, match="--folds: cannot stand beside --test"):
        load_tasks([path], DataSettings(folds=3, test=path), say=print)
    for name in ("rte", "sentiment", "glue", "pocket"):
        with pytest.raises(UserError, match="--folds: only for a file of your own"):
            load_tasks([name], DataSettings(folds=3, source="pocket"), say=print)
    with pytest.raises(UserError, match=r"data\.folds: 3 folds are as many tasks"):
        load_task(path, DataSettings(folds=3))
