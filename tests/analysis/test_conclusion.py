"""What the pairs of a task show, in sentences: each claim is one that its pair carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tunebench.analysis import analyse
from tunebench.analysis.conclusion import LETTERS, ordered, smallest_seen_line

from tests.analysis.planted import TASK, analysed, answered, reader, records_of, renamed
from tests.analysis.verdict.made_up import cells


def test_the_one_that_is_better_than_every_other_leads():
    analysis = analysed(answered({"head": 0.7, "lora": 0.8, "prompt": 0.6}))
    score = analysis.tasks[0].leaders.score
    assert analysis.leaders == (
        f"On made-up, lora leads (accuracy {score:.3f}): it is better than every other method."
    )
    assert analysis.doubts == "The numbers are means over 5 seeds."
    assert "better than head." in analysed(answered({"head": 0.7, "lora": 0.8})).leaders


def test_each_other_method_stands_under_the_verdict_of_its_pair_with_the_first():
    shares = {"lora": 0.8, "full": 0.786, "adapter": 0.793, "head": 0.7}
    right = answered(shares, examples=1000)
    # Fewer right answers than the first by one: equal within a point, and not above it.
    right["copy"] = right["lora"].copy()
    right["copy"][:, np.flatnonzero(right["lora"].all(0))[0]] = False
    analysis = analysed(right)
    task = analysis.tasks[0]
    verdicts = {
        name: task.judged.verdict.pair("lora", name).verdict
        for name in ("copy", "adapter", "full", "head")
    }
    assert verdicts == {
        "copy": "equivalent",
        "adapter": "undecided",
        "full": "undecided",
        "head": "better",
    }
    assert (
        "It is better than head; equivalent to copy within 0.01; "
        "undecided beside adapter and full. Beside adapter, " in analysis.leaders
    )
    # Of several undecided pairs it is the nearest rival's that is to be settled.
    settles = task.judged.verdict.pair("lora", "adapter").to_decide.sentence
    assert f"Beside adapter, {settles[0].lower()}{settles[1:]}" in analysis.leaders
    assert not task.conclusion.leads
    assert task.conclusion.open


def test_the_only_undecided_pair_is_followed_by_what_would_settle_it():
    analysis = analysed(answered({"lora": 0.8, "full": 0.79}))
    settles = analysis.tasks[0].judged.verdict.pairs[0].to_decide.sentence
    assert analysis.leaders.endswith(f"It is undecided beside full: {settles}")


def test_a_margin_of_the_user_is_the_one_that_is_named():
    right = answered({"lora": 0.8})
    right["copy"] = right["lora"].copy()
    right["copy"][:, np.flatnonzero(right["lora"].all(0))[0]] = False
    assert "equivalent to copy within 0.03." in analysed(right, margin=0.03).leaders


def test_equal_scores_share_the_first_place_and_one_of_them_is_compared():
    right = answered({"lora": 0.8, "head": 0.7})
    right["copy"] = right["lora"]
    assert "lora and copy share the highest accuracy" in analysed(right).leaders
    assert ". lora is better than head; equivalent to copy within 0.01." in analysed(right).leaders


def test_one_seed_says_that_it_cannot_say():
    analysis = analysed(answered({"lora": 0.9, "head": 0.5}, seeds=1))
    task = analysis.tasks[0]
    assert task.conclusion is None
    assert "One seed cannot say which method is better." in analysis.doubts
    assert "better than" not in analysis.leaders
    assert "group" not in [column.name for column in task.columns("page")]
    assert [cell.group for cell in analysis.cells] == ["", ""]


def test_several_seeds_of_which_two_methods_share_one_are_no_verdict():
    made = [
        cell
        for cell in cells(answered({"lora": 0.9, "head": 0.5}))
        if cell.result.method == "lora" or cell.result.seed == 0
    ]
    analysis = analyse(records_of(made), reader(made))
    assert "One seed is no verdict" in analysis.leaders
    assert "leads" not in analysis.leaders
    assert "is better" not in analysis.leaders


def test_answers_that_are_gone_are_named_and_nothing_is_claimed_of_their_method():
    made = cells(answered({"lora": 0.9, "head": 0.5, "prompt": 0.4}))
    made = [
        replace(cell, predictions=None if cell.result.method == "head" else cell.predictions)
        for cell in made
    ]
    analysis = analyse(records_of(made), reader(made))
    assert "It is better than prompt." in analysis.leaders
    assert "leads" not in analysis.leaders
    assert "head is not compared: " in analysis.leaders
    groups = {cell.result.method: cell.group for cell in analysis.cells}
    assert groups == {"lora": "a", "head": "", "prompt": "b"}


def test_without_stored_answers_the_seeds_decide_as_they_are():
    made = cells(answered({"lora": 0.9, "head": 0.5}))
    analysis = analyse(records_of(made))
    assert analysis.tasks[0].judged is None
    assert "lora leads (accuracy" in analysis.leaders
    assert "better than" not in analysis.answer
    # And so does a reader that finds none, but then a lead would be the plain means' alone.
    unread = analyse(records_of(made), lambda result: None)
    assert "leads" not in unread.leaders
    assert "not compared" in unread.leaders


def test_a_method_that_is_better_on_shared_seeds_is_not_hidden_by_a_higher_mean():
    """With seeds by looks a method may have more of them, and its mean rests on those too."""
    right = answered({"few": 0.80, "many": 0.70}, seeds=5)
    easy = np.ones((20, right["many"].shape[1]), dtype=bool)
    made = cells({"few": right["few"], "many": np.concatenate((right["many"], easy))})
    analysis = analyse(records_of(made), reader(made))
    assert analysis.tasks[0].leaders.names == ("many",)
    assert "But few is better than it on the seeds that both have." in analysis.leaders
    assert not analysis.tasks[0].conclusion.leads


def test_a_look_that_was_not_reached_says_so_and_gives_no_other_reason():
    made = [c for c in cells(answered({"lora": 0.8, "head": 0.7})) if c.result.seed < 2]
    analysis = analyse(records_of(made, until="decided"), reader(made))
    assert analysis.leaders.endswith(
        "The first look is at 3 seeds, and these are not all there yet."
    )
    assert "No cell" not in analysis.answer


def test_the_half_width_of_one_score_gives_way_to_the_letters():
    analysis = analysed(answered({"lora": 0.8, "full": 0.79}))
    assert analysis.tasks[0].margin_line == LETTERS
    assert "test examples alone" not in analysis.doubts
    assert "do not separate" not in analysis.doubts


def test_of_several_tasks_those_that_the_pairs_lead_and_leave_open_are_told_apart():
    apart = renamed(cells(answered({"lora": 0.8, "head": 0.7})), "apart")
    near = renamed(cells(answered({"lora": 0.8, "head": 0.795})), "near")
    made = [*apart, *near]
    analysis = analyse(records_of(made, ("apart", "near")), reader(made))
    assert "leads on 1." in analysis.leaders
    assert "On near the first place is not decided" in analysis.doubts
    first, second = (task.conclusion for task in analysis.tasks)
    assert (first.leads, first.open, second.leads, second.open) == (True, False, False, True)


def test_the_pairs_of_the_first_method_come_first_and_with_it_in_front():
    analysis = analysed(answered({"head": 0.7, "lora": 0.8, "prompt": 0.6}))
    task = analysis.tasks[0]
    shown = [(p.a, p.b, sign) for p, sign in ordered(task.judged.verdict, task.leaders)]
    assert shown == [("head", "lora", -1), ("lora", "prompt", 1), ("head", "prompt", 1)]


def test_the_smallest_difference_is_that_of_the_pairs():
    analysis = analysed(answered({"lora": 0.8, "full": 0.79, "head": 0.7}))
    verdict = analysis.tasks[0].judged.verdict
    sizes = sorted(pair.smallest_seen for pair in verdict.pairs)
    line = smallest_seen_line(verdict)
    assert f"difference of {sizes[0]:.3f} between" in line
    assert f"and of {sizes[-1]:.3f} between" in line
    single = analysed(answered({"lora": 0.8, "full": 0.79}, seeds=1))
    assert smallest_seen_line(single.tasks[0].judged.verdict) == ""


@pytest.mark.parametrize("view", ["terminal", "page", "markdown", "csv"])
def test_letters_are_a_column_of_every_table(view: str):
    analysis = analysed(answered({"lora": 0.8, "full": 0.79, "head": 0.7}))
    task = analysis.tasks[0]
    assert task.task == TASK
    assert "group" in [column.name for column in task.columns(view)]
    groups = {row.name: row.texts["group"] for row in task.rows}
    assert groups == dict(task.judged.verdict.letters) == {"lora": "a", "full": "a", "head": "b"}
