"""Where methods disagree: counts beside scikit-learn's tables, and examples by rule."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from tunebench.analysis import Predictions, analyse
from tunebench.analysis.disagreements import MOST, Disagreements, disagreements
from tunebench.records import Comparison, Result

from tests.records import comparison

METHODS = ("lora", "head", "prompt")
EXAMPLES = 400
LABELS = tuple("yes" if n % 3 else "no" for n in range(EXAMPLES))


def records_of(methods: Sequence[str] = METHODS, seeds: Sequence[int] = (0,)) -> Comparison:
    """Cells with a prediction file each."""
    records = comparison(("sst2",), methods, seeds)
    rows = [replace(row, predictions="one") for row in records.results]
    return replace(records, results=tuple(rows))


def read(row: Result) -> Predictions:
    """Answers that are right more or less often by method, and differ by seed."""
    share = {"lora": 0.9, "head": 0.8, "prompt": 0.4}[row.method]
    generator = np.random.default_rng([METHODS.index(row.method), row.seed])
    right = generator.uniform(size=EXAMPLES) < share
    other = {"yes": "no", "no": "yes"}
    answers = [one if ok else other[one] for one, ok in zip(LABELS, right, strict=True)]
    return Predictions(tuple(f"id {n}" for n in range(EXAMPLES)), LABELS, tuple(answers))


def of(records: Comparison, **wanted: Any) -> Disagreements:
    """The disagreements of the only task."""
    where = disagreements(analyse(records, read).cells, "sst2", **wanted)
    assert where is not None
    return where


def correct(method: str, seeds: Sequence[int] = (0,)) -> np.ndarray:
    """Whether a method's answers are right (s n)."""
    rows = [row for row in records_of(seeds=seeds).results if row.method == method]
    return np.array([np.array(read(row).predictions) == np.array(LABELS) for row in rows])


def test_the_counts_of_one_seed_are_those_of_a_table_of_two_classifiers() -> None:
    where = of(records_of())
    assert (where.examples, where.methods) == (EXAMPLES, METHODS)
    assert set(where.counts) == set(itertools.permutations(METHODS, 2))
    for a, b in itertools.combinations(METHODS, 2):
        table = confusion_matrix(correct(a)[0], correct(b)[0])
        assert (where.counts[a, b], where.counts[b, a]) == (table[1, 0], table[0, 1])


def test_with_several_seeds_an_example_counts_where_all_of_them_agree() -> None:
    seeds = (0, 1, 2)
    where = of(records_of(seeds=seeds))
    assert dict(where.seeds) == dict.fromkeys(METHODS, 3)
    for a, b in itertools.permutations(METHODS, 2):
        wanted = [
            all(one) and not any(other)
            for one, other in zip(correct(a, seeds).T, correct(b, seeds).T, strict=True)
        ]
        assert where.counts[a, b] == sum(wanted)
    assert where.counts["lora", "prompt"] < of(records_of()).counts["lora", "prompt"]


def test_one_method_stands_against_all_others() -> None:
    where = of(records_of(), most=EXAMPLES)
    right = {method: correct(method)[0] for method in METHODS}
    kinds: Mapping[tuple[str, bool], list[int]] = {
        (method, side): [
            n
            for n in range(EXAMPLES)
            if right[method][n] == side
            and all(right[other][n] != side for other in METHODS if other != method)
        ]
        for method in METHODS
        for side in (True, False)
    }
    assert dict(where.single) == {kind: len(places) for kind, places in kinds.items()}
    chosen: dict[tuple[str, bool], list[int]] = {}
    for one in where.chosen:
        chosen.setdefault((one.method, one.right), []).append(one.place)
        assert one.label == LABELS[one.place]
        assert one.wrong_answer != one.label
    assert chosen == {kind: places for kind, places in kinds.items() if places}


def test_a_poor_method_does_not_fill_the_list() -> None:
    where = of(records_of())
    assert where.single["prompt", False] > MOST
    assert len(where.chosen) == MOST
    kinds = [(one.method, one.right) for one in where.chosen]
    counts = {kind: kinds.count(kind) for kind in where.single}
    for kind, count in counts.items():
        assert count == where.single[kind] or count >= max(counts.values()) - 1
    for kind in where.single:
        places = [one.place for one in where.chosen if (one.method, one.right) == kind]
        assert places == sorted(places)
    assert f"of which {MOST} are named" in where.summary


def test_of_two_methods_each_example_is_named_once() -> None:
    where = of(records_of(), methods=("head", "lora"), most=EXAMPLES)
    assert where.methods == ("lora", "head")
    assert dict(where.single) == {
        ("lora", True): where.counts["lora", "head"],
        ("head", True): where.counts["head", "lora"],
    }
    assert len({one.place for one in where.chosen}) == len(where.chosen)


def test_an_example_is_named_by_its_line_where_it_has_one() -> None:
    def with_lines(row: Result) -> Predictions:
        return replace(read(row), more={"line": list(range(2, EXAMPLES + 2))})

    cells = analyse(records_of(), with_lines).cells
    where = disagreements(cells, "sst2")
    assert where is not None
    assert all(one.name == f"line {one.place + 2}" for one in where.chosen)
    assert all(one.name == f"id {one.place}" for one in of(records_of()).chosen)


def test_the_commonest_wrong_answer_is_shown() -> None:
    answers = {"lora": "a", "head": "b", "prompt": "b", "full": "c"}

    def one_example(row: Result) -> Predictions:
        return Predictions((0, 1), ("a", "a"), (answers[row.method], "a"))

    records = records_of(tuple(answers))
    (example,) = analyse(records, one_example).tasks[0].disagreements.chosen
    assert (example.method, example.right, example.wrong_answer) == ("lora", True, "b")
    records = records_of(("head", "prompt", "lora"))
    answers |= {"head": "a", "prompt": "a", "lora": "c"}
    (example,) = analyse(records, one_example).tasks[0].disagreements.chosen
    assert (example.method, example.right, example.wrong_answer) == ("lora", False, "c")


def test_nothing_is_said_where_nothing_can_be_compared() -> None:
    def numbers(row: Result) -> Predictions:
        return Predictions((0, 1), (0.5, 1.5), (0.4, 1.5))

    def other_rows(row: Result) -> Predictions:
        return replace(read(row), ids=tuple(f"{row.method} {n}" for n in range(EXAMPLES)))

    assert analyse(records_of(), numbers).tasks[0].disagreements is None
    assert analyse(records_of(), other_rows).tasks[0].disagreements is None
    assert analyse(records_of(("lora",)), read).tasks[0].disagreements is None
    assert analyse(records_of()).tasks[0].disagreements is None
    failed = tuple(
        replace(row, status="error") if row.method != "lora" else row
        for row in records_of().results
    )
    assert analyse(replace(records_of(), results=failed), read).tasks[0].disagreements is None


def test_methods_that_answer_alike_have_counts_of_zero_and_no_example() -> None:
    def alike(row: Result) -> Predictions:
        return read(replace(row, method="lora"))

    where = analyse(records_of(), alike).tasks[0].disagreements
    assert where is not None
    assert set(where.counts.values()) == {0}
    assert where.chosen == ()
    assert where.summary.startswith("On none of 400 test examples")


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_are_chosen_than_asked_for(most: int) -> None:
    assert len(of(records_of(), most=most).chosen) == most
