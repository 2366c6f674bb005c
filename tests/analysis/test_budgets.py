"""Equal budgets are shown to be equal; over unequal ones nothing is ranked, anywhere."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.conclusion import LETTERS
from tunebench.records import Comparison, Fold, Study
from tunebench.report import json as json_file
from tunebench.report import markdown, page, terminal

from tests.analysis.planted import TASK, answered, reader, records_of
from tests.analysis.verdict.made_up import cells
from tests.records import comparison, name_of

SHARES = {"lora": 0.9, "head": 0.6, "prompt": 0.3}
"""Method → its share of right answers: so far apart that every pair is decided."""
BUDGET = {"trials": 12, "trial_epochs": 2, "epochs": 4}


def planted(**trials: int | None) -> Analysis:
    """Three methods of which it is clear who is best; how many trials each was planned with."""
    made = cells(answered(SHARES))
    records = records_of(made, search=BUDGET)
    of_method = {row.method: row.study for row in records.results}
    studies = tuple(
        Study(study, TASK, method, 100, "accuracy", trials.get(method, 12))
        for method, study in of_method.items()
    )
    results = tuple(
        replace(row, train_examples=400, validation_examples=100) for row in records.results
    )
    return analyse(replace(records, studies=studies, results=results, trials=()), reader(made))


def printed(analysis: Analysis) -> str:
    file = io.StringIO()
    terminal.show(analysis, Path("runs"), Console(file=file, width=300, force_terminal=True))
    return file.getvalue()


@pytest.fixture(scope="module")
def unequal() -> Analysis:
    return planted(lora=1)


def test_equal_budgets_are_stated_with_what_they_are() -> None:
    analysis = planted()
    (task,) = analysis.tasks
    assert task.unequal_budgets == ""
    assert task.equal_budgets == (
        "Every method had the same budget: 12 trials of 2 epochs over 400 examples (9,600 training "
        "examples read in all), and 2,000 for each seed of its winner."
    )
    assert analysis.ranked
    assert "lora leads" in analysis.answer
    for text in (page.text(analysis, {}), markdown.text(analysis)):
        assert "9,600" in text
        assert task.equal_budgets in text.replace("\\", "")


def test_unequal_budgets_are_named_and_nothing_is_ranked(unequal: Analysis) -> None:
    (task,) = unequal.tasks
    assert task.unequal_budgets == (
        "The budgets of tuning are not equal, so that the methods are not ranked: lora had one "
        "trial of 2 epochs over 400 examples; head and prompt had 12 trials of 2 epochs over 400 "
        "examples."
    )
    assert task.leaders is None
    assert task.conclusion is None
    assert unequal.leaders == task.unequal_budgets
    assert task.margin_line == f"{task.unequal_budgets} {LETTERS}"
    assert not unequal.ranked
    assert task.draws is None, "the front is a ranking too"
    text = page.text(unequal, {}).partition("</style>")[2]
    for shown in (text, markdown.text(unequal).replace("\\", ""), printed(unequal)):
        assert " leads" not in shown
        assert "highest" not in shown
        assert "best score" not in shown
        assert "lora had one trial" in shown.replace("\n", " ")
    assert 'class="best"' not in text
    assert not [line for line in markdown.text(unequal).splitlines() if line.startswith("| **")]
    assert "\x1b[1mlora" not in printed(unequal)


def test_methods_of_equal_budgets_keep_their_verdict(unequal: Analysis) -> None:
    judged = unequal.tasks[0].judged
    assert judged is not None
    assert [(pair.a, pair.b, pair.better) for pair in judged.verdict.pairs] == [
        ("head", "prompt", "head")
    ]
    assert [(one.a, one.b) for one in judged.verdict.unpaired] == [
        ("lora", "head"),
        ("lora", "prompt"),
    ]
    assert all("not equal" in one.reason for one in judged.verdict.unpaired)
    # The task's sentence names the budgets once; the pairs do not say it again.
    assert judged.verdict.reason == ""


def test_scripts_learn_of_it_too(unequal: Analysis) -> None:
    content: dict[str, Any] = json_file.content(unequal)
    assert content["unequal_budgets"] == [
        {"task": TASK, "sentence": unequal.tasks[0].unequal_budgets}
    ]
    assert content["conclusions"] == []
    assert [one["trials"] for one in content["budget"]] == [1, 12, 12]


def with_studies(records: Comparison) -> Comparison:
    studies = tuple(
        Study(name_of(task, method), task, method, 100, "accuracy")
        for task in records.tasks
        for method in records.methods
    )
    return replace(records, studies=studies)


def test_other_training_rows_are_another_budget() -> None:
    records = with_studies(comparison(("sst2",), ("lora", "head"), (0, 1)))
    results = tuple(
        replace(row, train_examples=300) if row.method == "lora" else row for row in records.results
    )
    assert not analyse(records).tasks[0].unequal_budgets
    sentence = analyse(replace(records, results=results)).tasks[0].unequal_budgets
    assert "over 300 examples" in sentence
    assert "over 400 examples" in sentence


def test_a_record_from_before_counts_the_trials_that_are_there() -> None:
    records = with_studies(comparison(("sst2",), ("lora", "head"), (0, 1), trials=6))
    assert not analyse(records).tasks[0].unequal_budgets
    pinned = tuple(
        one for one in records.trials if one.number == 0 or one.study != name_of("sst2", "lora")
    )
    analysis = analyse(replace(records, trials=pinned))
    assert "lora had one trial" in analysis.tasks[0].unequal_budgets


def test_a_failed_trial_is_part_of_the_budget() -> None:
    records = with_studies(comparison(("sst2",), ("lora", "head"), (0, 1), trials=6))
    failed = tuple(
        replace(one, status="diverged", score=None)
        if (one.study, one.number) == (name_of("sst2", "lora"), 3)
        else one
        for one in records.trials
    )
    analysis = analyse(replace(records, trials=failed))
    assert analysis.tasks[0].unequal_budgets == ""
    assert "5, 1 failed" in markdown.text(analysis)


def test_a_method_without_a_complete_cell_is_compared_with_nothing() -> None:
    status = {("sst2", "lora", seed): "error" for seed in (0, 1)}
    records = with_studies(comparison(("sst2",), ("lora", "head"), (0, 1), 6, status))  # type: ignore[arg-type]
    trials = tuple(one for one in records.trials if one.study != name_of("sst2", "lora"))
    assert analyse(replace(records, trials=trials)).tasks[0].unequal_budgets == ""


def test_one_unequal_task_of_two_leaves_the_other_its_sentence() -> None:
    records = with_studies(comparison(("sst2", "rte"), ("lora", "head"), (0, 1)))
    first, *others = records.studies
    records = replace(records, studies=(replace(first, trials=9), *others))
    analysis = analyse(records)
    assert analysis.answer.startswith("sst2: The budgets of tuning are not equal")
    assert "On rte, " in analysis.answer
    assert "Averaged" not in analysis.answer
    assert "Bold: highest" not in page.text(analysis, {})


def test_folds_of_slightly_unequal_size_are_one_budget() -> None:
    tasks = ("mine-fold1", "mine-fold2")
    records = with_studies(comparison(tasks, ("lora", "head"), (0,)))
    folds = {task: Fold("mine", number, 2) for number, task in enumerate(tasks, start=1)}
    results = tuple(
        replace(row, train_examples=401) if row.task == tasks[0] else row for row in records.results
    )
    (task,) = analyse(replace(records, folds=folds, results=results)).tasks
    assert task.unequal_budgets == ""
    assert len(task.budgets) == 4
    assert "in each search" in task.equal_budgets
