"""Precision, recall and F1 of each class, against scikit-learn, and where they are shown."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import precision_recall_fscore_support
from tunebench.analysis import Predictions, analyse
from tunebench.analysis.classes import ClassScores
from tunebench.records import Comparison, Result
from tunebench.report import write

from tests.records import comparison

CLASSES = ("bill", "other | more", "urgent", "never")


def answers_of(row: Result) -> Predictions:
    """Answers that differ by method and seed; "never" is a label that nothing is answered with."""
    labels = tuple(random.Random(7).choices(CLASSES, (5, 3, 1, 1), k=60))
    draw = random.Random(f"{row.method}{row.seed}")
    answers = tuple(one if draw.random() < 0.6 else draw.choice(CLASSES[:3]) for one in labels)
    answers = tuple("bill" if one == "never" else one for one in answers)
    return Predictions(tuple(range(60)), labels, answers)


def records_of(seeds: tuple[int, ...] = (0, 1)) -> Comparison:
    """Cells with a prediction file each."""
    records = comparison(("sst2",), ("head", "lora"), seeds)
    return replace(
        records, results=tuple(replace(row, predictions="one") for row in records.results)
    )


def test_each_class_has_the_means_of_scikit_learn_s_numbers() -> None:
    records = records_of()
    scores = analyse(records, answers_of).tasks[0].classes
    assert [(one.label, one.method) for one in scores] == [
        (label, method) for label in sorted(CLASSES) for method in ("head", "lora")
    ]
    for one in scores:
        rows = [row for row in records.results if row.method == one.method]
        wanted = [
            precision_recall_fscore_support(
                answers_of(row).labels,
                answers_of(row).predictions,
                labels=[one.label],
                zero_division=0.0,
            )
            for row in rows
        ]
        for position, part in enumerate((one.precision, one.recall, one.f1)):
            assert part.value == pytest.approx(sum(w[position][0] for w in wanted) / 2)
        assert one.examples == wanted[0][3][0]


def test_a_cell_that_failed_does_not_count_and_one_seed_has_no_spread() -> None:
    records = records_of()
    failed = tuple(
        replace(row, status="error") if (row.method, row.seed) == ("lora", 1) else row
        for row in records.results
    )
    scores = analyse(replace(records, results=failed), answers_of).tasks[0].classes
    spreads = {one.method: one.f1.spread for one in scores if one.label == "bill"}
    assert spreads["head"] is not None
    assert spreads["lora"] is None


@pytest.mark.parametrize("labels", [(0.5, 1.5), (["a"], ["a", "b"])])
def test_answers_that_are_no_classes_have_none(labels: tuple[object, ...]) -> None:
    analysis = analyse(records_of(), lambda row: Predictions((1, 2), labels, labels))
    assert analysis.tasks[0].classes == ()
    assert analyse(records_of()).tasks[0].classes == ()


def test_classes_that_are_numbers_stand_by_their_numbers() -> None:
    names = ("10", "2", "0")
    analysis = analyse(records_of((0,)), lambda row: Predictions((0, 1, 2), names, names))
    labels = [one.label for one in analysis.tasks[0].classes if one.method == "head"]
    assert labels == ["0", "2", "10"]


def test_page_and_markdown_show_every_class(tmp_path: Path) -> None:
    analysis = analyse(records_of((0,)), answers_of)
    one: ClassScores = next(o for o in analysis.tasks[0].classes if o.label == "urgent")
    _, _, markdown, page = (path.read_text("utf-8") for path in write(analysis, tmp_path, {}))
    line = f"| urgent | head | {one.examples} | {one.precision.value:.3f} |"
    assert line in markdown
    assert r"| other \| more | lora |" in markdown
    assert "Precision, recall and F1 of each class" in page
    assert ">urgent<" in page


def test_of_many_classes_the_markdown_names_the_page(tmp_path: Path) -> None:
    def read(row: Result) -> Predictions:
        names = tuple(f"intent {n:02}" for n in range(25))
        return Predictions(names, names, names)

    analysis = analyse(records_of((0,)), read)
    _, _, markdown, page = (path.read_text("utf-8") for path in write(analysis, tmp_path, {}))
    assert "Precision, recall and F1 of the 25 classes stand in report.html." in markdown
    assert "intent 24" not in markdown
    assert "intent 24" in page
