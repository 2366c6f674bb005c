"""What cannot be compared is named in a sentence, in every output, and never ranked or judged."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tunebench.analysis import Analysis, analyse
from tunebench.analysis.cells import Cell
from tunebench.report import write
from tunebench.report.console import plain, written
from tunebench.report.terminal import show

from tests.analysis.planted import answered, reader, records_of, renamed
from tests.analysis.verdict.made_up import cell, cells, task

SHARES = {"lora": 0.8, "head": 0.7, "full": 0.9}
"""The one that is damaged has the highest score by far."""
UNREADABLE = "are not stored or cannot be read"
ALTERED = "so one of them was altered"
Damage = Callable[[list[Cell]], list[Cell]]


def of_full(change: Callable[[Cell], Cell], seeds: tuple[int, ...] = (0, 1, 2)) -> Damage:
    """Change the cells of one method, or some of its seeds."""

    def damage(made: list[Cell]) -> list[Cell]:
        return [
            change(one) if one.result.method == "full" and one.result.seed in seeds else one
            for one in made
        ]

    return damage


def record(cell: Cell, **changes: Any) -> Cell:
    """The cell with another record."""
    return replace(cell, result=replace(cell.result, **changes))


def answers(cell: Cell, **changes: Any) -> Cell:
    """The cell with other stored answers."""
    assert cell.predictions is not None
    return replace(cell, predictions=replace(cell.predictions, **changes))


def failed(cell: Cell) -> Cell:
    """The cell as one that did not complete."""
    return record(
        replace(cell, predictions=None), status="error", score=None, accuracy=None, metrics={}
    )


def unstored(cell: Cell) -> Cell:
    """The cell without its answers."""
    return replace(cell, predictions=None)


def flipped(cell: Cell) -> Cell:
    """The cell with one answer turned into the other."""
    assert cell.predictions is not None
    first, *rest = cell.predictions.predictions
    return answers(cell, predictions=("no" if first == "yes" else "yes", *rest))


def fewer(made: list[Cell]) -> list[Cell]:
    """One method was tested on fewer examples, and its score is that of those."""
    other = cells(answered({"full": 0.95}, seeds=3, examples=200))
    return [one for one in made if one.result.method != "full"] + other


def other_metric(made: list[Cell]) -> list[Cell]:
    """One method is scored by another metric, and its answers give that score."""
    first = made[0].predictions
    assert first is not None
    labels = [int(label == "yes") for label in first.labels]
    mcc = [
        cell("full", seed, task(["mcc"]), labels, [1 - labels[0], *labels[1:]]) for seed in range(3)
    ]
    return [one for one in made if one.result.method != "full"] + mcc


CASES: dict[str, tuple[Damage, str, bool]] = {
    "no seed is complete": (of_full(failed), "no seed of full is complete", False),
    "no answers are stored": (of_full(unstored, (1,)), f"full, seed 1 {UNREADABLE}", True),
    "an answer was altered": (of_full(flipped, (2,)), ALTERED, False),
    "a score was altered": (of_full(lambda c: record(c, score=0.99), (0,)), ALTERED, False),
    "other labels": (
        of_full(lambda c: answers(c, labels=("no",) * len(answers(c).predictions.ids)), (1,)),  # type: ignore[union-attr]
        "were tested on test examples with different labels",
        False,
    ),
    "seeds with two metrics": (
        of_full(lambda c: record(c, metric="mcc"), (0,)),
        "the seeds of full are scored by mcc and accuracy",
        False,
    ),
    "fewer test examples": (fewer, "they were tested on different test examples", False),
    "another metric": (other_metric, "they are scored by accuracy and mcc", False),
}


def outputs(analysis: Analysis, out: Path) -> dict[str, str]:
    """Terminal, page, Markdown and JSON as texts on one line."""
    console = plain()
    show(analysis, out, console)
    write(analysis, out, {})
    page = html.unescape(re.sub(r"<[^>]*>", "", (out / "report.html").read_text()))
    texts = {
        "terminal": written(console),
        "page": page,
        "markdown": (out / "report.md").read_text().replace("\\", ""),
        "json": json.dumps(json.loads((out / "analysis.json").read_text()), ensure_ascii=False),
    }
    return {name: " ".join(text.split()) for name, text in texts.items()}


def analysed(made: list[Cell], **experiment: Any) -> Analysis:
    """The analysis of these cells."""
    return analyse(records_of(made, **experiment), reader(made))


@pytest.mark.parametrize("until", [None, "decided"])
@pytest.mark.parametrize("case", CASES)
def test_what_does_not_compare_is_named_and_not_ranked(
    case: str, until: str | None, tmp_path: Path
) -> None:
    damage, reason, ranked = CASES[case]
    made = damage(cells(answered(SHARES, seeds=3, examples=300)))
    analysis = analysed(made, until=until)
    (of_task,) = analysis.tasks
    for name, text in outputs(analysis, tmp_path).items():
        assert reason in text, name
        assert "full leads" not in text
        if not ranked:
            assert "full has the highest" not in text
    assert of_task.judged is not None
    assert {pair.a for pair in of_task.judged.verdict.pairs} | {
        pair.b for pair in of_task.judged.verdict.pairs
    } == {"lora", "head"}
    assert "full" not in of_task.judged.verdict.letters
    assert of_task.leaders is not None
    assert of_task.leaders.names == (("full",) if ranked else ("lora",))
    # It stands there once, however many pairs it takes away.
    assert analysis.leaders.count(reason) == 1


def test_a_mean_over_tasks_has_no_score_that_does_not_compare() -> None:
    made = cells(answered(SHARES, seeds=3, examples=300))
    both = [*renamed(of_full(flipped)(made), "made-up"), *renamed(made, "second")]
    analysis = analyse(records_of(both, ("made-up", "second")), reader(both))
    means = {one.method: one.mean for one in analysis.overview}
    assert means["full"] is None
    assert "lora has the highest score" in analysis.leaders
    assert "Not comparable on every task, and so without a mean: full." in analysis.doubts
    both = [*renamed(of_full(failed)(made), "made-up"), *renamed(made, "second")]
    analysis = analyse(records_of(both, ("made-up", "second")), reader(both))
    assert "Not complete on every task, and so without a mean: full." in analysis.doubts


def test_two_methods_that_do_not_compare_have_no_first(tmp_path: Path) -> None:
    made = fewer(cells(answered(SHARES, seeds=3, examples=300)))
    analysis = analysed([one for one in made if one.result.method != "head"])
    assert analysis.leaders == (
        "On made-up, no two scores compare. lora and full are not compared: they were tested on "
        "different test examples (300 and 200)."
    )
    assert analysis.tasks[0].leaders is None
    for text in outputs(analysis, tmp_path).values():
        assert "no two scores compare" in text


@pytest.mark.parametrize("until", [None, "decided"])
def test_one_method_is_compared_with_nothing(until: str | None, tmp_path: Path) -> None:
    made = cells(answered({"lora": 0.8}, seeds=3, examples=300))
    analysis = analysed(made, until=until)
    for text in outputs(analysis, tmp_path).values():
        assert "lora is the only method: there is nothing to compare it with." in text
        assert "highest" not in text.partition("What the columns mean")[0]
        assert "decided by" not in text
    both = [*renamed(made, "made-up"), *renamed(made, "second")]
    across = analyse(records_of(both, ("made-up", "second")), reader(both))
    assert re.fullmatch(r"Averaged over 2 tasks, lora has a score of 0\.\d{3}\.", across.leaders)


def test_the_only_method_that_completed_is_no_highest() -> None:
    made = cells(answered(SHARES, seeds=3, examples=300))
    made = [one if one.result.method == "lora" else failed(one) for one in made]
    analysis = analysed(made)
    assert re.fullmatch(
        r"On made-up, lora has accuracy 0\.\d{3}\. head and full are not compared: no seed of "
        r"theirs is complete\.",
        analysis.leaders,
    )


def test_no_cell_that_completed_is_one_sentence(tmp_path: Path) -> None:
    made = [failed(one) for one in cells(answered(SHARES, seeds=3, examples=300))]
    analysis = analysed(made)
    assert analysis.answer.startswith("All 9 cells failed, so there is nothing to compare (")
    for text in outputs(analysis, tmp_path).values():
        assert analysis.answer in text


def test_one_seed_with_an_altered_answer_is_not_ranked_either() -> None:
    made = of_full(flipped)(cells(answered(SHARES, seeds=1, examples=300)))
    analysis = analysed(made)
    assert analysis.leaders.startswith("On made-up, lora has the highest accuracy of those that")
    assert ALTERED in analysis.leaders


def test_a_failed_seed_is_not_counted_as_one() -> None:
    made = of_full(failed, (1,))(cells(answered(SHARES, seeds=3, examples=300)))
    assert "The numbers are means over 2 to 3 seeds." in analysed(made).doubts


@pytest.mark.parametrize("margin", [0, -0.5, 1, 1e9, float("nan"), float("inf"), "big", None])
def test_a_margin_that_is_none_is_not_taken_from_a_record(margin: Any, tmp_path: Path) -> None:
    made = cells(answered(SHARES, seeds=3, examples=300))
    usual, other = analysed(made), analysed(made, margin=margin)
    assert other.answer == usual.answer
    assert other.tasks[0].judged is not None
    assert other.tasks[0].judged.verdict.margin == 0.01
