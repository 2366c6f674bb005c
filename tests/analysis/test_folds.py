"""A cross-validation as one task, and an interval that does not take its folds for independent."""

from __future__ import annotations

import csv
import io
import random
import statistics
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support
from tunebench.analysis import Analysis, Predictions, analyse
from tunebench.analysis.folds import FoldScores, as_one_task, corrected_half_width
from tunebench.records import Comparison, Fold, Result
from tunebench.report.csv import text

from tests.records import comparison

K = 4
TASKS = tuple(f"mine-fold{number}" for number in range(1, K + 1))
FOLDS = {task: Fold("mine", number, K) for number, task in enumerate(TASKS, start=1)}


def records(seeds: tuple[int, ...] = (0, 1), **named: object) -> Comparison:
    """Four folds of 200 test and 500 training rows."""
    made = comparison(TASKS, ("lora", "head"), seeds, **named)  # type: ignore[arg-type]
    return replace(made, folds=FOLDS)


def scored(scores: dict[str, tuple[float, ...]]) -> Analysis:
    """One seed, with these scores by method and fold."""
    made = records((0,))
    changed = tuple(
        replace(row, score=scores[row.method][FOLDS[row.task].number - 1]) for row in made.results
    )
    return analyse(replace(made, results=changed))


def test_a_plain_comparison_is_left_as_it_is() -> None:
    plain = comparison()
    assert as_one_task(plain) is plain
    assert analyse(plain).tasks[0].rows[0].folds is None


def test_folds_are_one_task_with_the_mean_over_folds_of_the_means_over_seeds() -> None:
    made = records()
    analysis = analyse(made)
    (task,) = analysis.tasks
    assert task.task == "mine"
    row = task.rows[0]
    means = [
        statistics.fmean(r.score or 0 for r in made.results if (r.task, r.method) == (t, "lora"))
        for t in TASKS
    ]
    assert row.score is not None
    assert row.score.value == pytest.approx(statistics.fmean(means))
    assert row.score.spread == pytest.approx(statistics.stdev(means))
    assert (row.complete, row.planned, row.test_examples) == (8, 8, 800)
    assert [each.name for each in task.rows] == ["lora", "head", "majority class", "bag of words"]
    for part in ("2 methods", "mine"):
        assert part in analysis.title.lower()
    assert analysis.budget.startswith("4 folds, 2 seeds")
    assert "every row is a test row once" in analysis.doubts


def test_untrained_rows_are_means_over_the_folds() -> None:
    made = records()
    rows = [
        replace(row, score=0.1 * TASKS.index(row.task), metrics={}) if row.score == 0.5 else row
        for row in made.references
    ]
    table = analyse(replace(made, references=tuple(rows))).tasks[0].rows
    majority = next(row for row in table if row.name == "majority class")
    assert majority.score is not None
    assert majority.score.value == pytest.approx(0.15)
    assert majority.score.spread == pytest.approx(statistics.stdev([0, 0.1, 0.2, 0.3]))


def test_results_csv_has_each_fold_s_scores_under_the_file_s_name() -> None:
    lines = list(csv.DictReader(io.StringIO(text(analyse(records()), {}))))
    assert {line["task"] for line in lines} == {"mine"}
    keys = [(line["method"], line["fold"], line["seed"]) for line in lines]
    assert len(set(keys)) == len(keys) == 2 * K * 2
    assert "fold" in lines[0]
    plain = csv.DictReader(io.StringIO(text(analyse(comparison()), {})))
    assert {line["fold"] for line in plain} == {""}


def test_a_missing_fold_is_named_and_takes_the_lead_away() -> None:
    made = records((0,), status={(TASKS[1], "lora", 0): "error"})
    (task,) = analyse(made).tasks
    (failure,) = task.rows[0].failures
    assert (failure.where, failure.task) == ("fold 2 seed 0", "mine")
    assert task.rows[0].folds is not None
    assert task.rows[0].folds.half_width is None
    assert task.leaders is not None
    assert not task.leaders.separate


def test_classes_are_counted_over_the_file_and_not_averaged_over_folds() -> None:
    def answers(row: Result) -> Predictions:
        draw = random.Random(f"{row.task}{row.method}{row.seed}")
        return Predictions(
            tuple(range(9)), tuple("aab" * 3), tuple(draw.choice("ab") for _ in range(9))
        )

    made = records((0,))
    made = replace(made, results=tuple(replace(row, predictions="x") for row in made.results))
    for one in analyse(made, answers).tasks[0].classes:
        every = [answers(row) for row in made.results if row.method == one.method]
        labels = [label for each in every for label in each.labels]
        replies = [answer for each in every for answer in each.predictions]
        precision, recall, f1, support = precision_recall_fscore_support(
            labels, replies, labels=[one.label], zero_division=0.0
        )
        assert one.examples == support[0]
        assert one.precision.value == pytest.approx(precision[0])
        assert one.recall.value == pytest.approx(recall[0])
        assert one.f1.value == pytest.approx(f1[0])


def test_without_shared_rows_the_half_width_is_student_s() -> None:
    scores = [0.71, 0.78, 0.69, 0.75, 0.8]
    low, high = stats.t.interval(0.95, 4, statistics.fmean(scores), stats.sem(scores))
    assert corrected_half_width(scores, 0.0) == pytest.approx((high - low) / 2)


def test_the_correction_is_nadeau_s_and_bengio_s() -> None:
    scores, ratio = [0.71, 0.78, 0.69, 0.75, 0.8], 1 / 4
    variance = statistics.variance(scores) * (1 / 5 + ratio)
    assert corrected_half_width(scores, ratio) == pytest.approx(
        stats.t.ppf(0.975, 4) * variance**0.5
    )


def test_the_interval_covers_the_mean_of_folds_that_share_what_they_are_assumed_to() -> None:
    # The correction is exact for scores that correlate by n_test / (n_test + n_train).
    generator, draws, ratio = np.random.default_rng(0), 2000, 1 / 4
    shared = ratio / (1 + ratio)
    common = generator.normal(size=(draws, 1)) * shared**0.5
    scores = 0.8 + 0.03 * (common + generator.normal(size=(draws, 5)) * (1 - shared) ** 0.5)
    covered, naive = (
        np.mean([abs(s.mean() - 0.8) <= corrected_half_width(s.tolist(), r) for s in scores])
        for r in (ratio, 0.0)
    )
    assert 0.935 <= covered <= 0.965
    assert naive < 0.88


def test_the_interval_covers_what_a_classifier_of_real_folds_is_worth() -> None:
    # Two normal classes at a distance of 2 and the nearest mean: what a model is worth is known.
    generator, draws, count, rows, width = np.random.default_rng(1), 600, 5, 60, 8
    labels = np.arange(rows) % 2
    centre = np.eye(1, width)[0]
    truths, means, halves, naive = [], [], [], []
    for _ in range(draws):
        points = generator.normal(size=(rows, width)) + np.outer(2 * labels - 1, centre)
        scores = []
        for fold in range(count):
            test = np.arange(rows) // 2 % count == fold
            one, other = (points[~test & (labels == label)].mean(0) for label in (1, 0))
            weight, middle = one - other, (one + other) / 2
            scores.append(np.mean(((points[test] - middle) @ weight > 0) == (labels[test] == 1)))
            sides = [(sign * centre - middle) @ weight * sign for sign in (1, -1)]
            truths.append(stats.norm.cdf(np.array(sides) / np.linalg.norm(weight)).mean())
        means.append(np.mean(scores))
        halves.append(corrected_half_width(scores, 1 / (count - 1)))
        naive.append(corrected_half_width(scores, 0.0))
    away = np.abs(np.array(means) - np.mean(truths))
    assert np.mean(away <= halves) >= 0.95
    assert np.mean(away <= naive) < 0.95


def test_methods_are_compared_fold_by_fold() -> None:
    wide = (0.60, 0.70, 0.80, 0.90)
    shifted = tuple(score + gap for score, gap in zip(wide, (0.05, 0.06, 0.05, 0.06), strict=True))
    analysis = scored({"lora": shifted, "head": wide})
    top = analysis.tasks[0].leaders
    assert top is not None
    assert (top.names, top.close, top.separate) == (("lora",), (), True)
    assert "lora leads" in analysis.leaders
    # The margin of the mean itself is far wider than the gap: only pairs show it.
    assert top.margin is not None
    assert top.margin > 0.1
    assert "fold by fold it is above every other method" in analysis.tasks[0].margin_line


def test_a_gap_that_turns_from_fold_to_fold_is_no_lead() -> None:
    analysis = scored({"lora": (0.8, 0.7, 0.9, 0.7), "head": (0.7, 0.75, 0.7, 0.75)})
    top = analysis.tasks[0].leaders
    assert top is not None
    assert (top.names, top.close, top.separate) == (("lora",), ("head",), False)
    assert "head cannot be told apart fold by fold" in analysis.tasks[0].margin_line
    assert "do not separate" in analysis.doubts


def test_being_above_needs_the_same_folds() -> None:
    whole = FoldScores({1: 0.9, 2: 0.91, 3: 0.92}, 3, 0.5)
    assert whole.is_above(FoldScores({1: 0.5, 2: 0.51, 3: 0.52}, 3, 0.5))
    assert not whole.is_above(FoldScores({1: 0.5, 2: 0.51}, 3, 0.5))
    assert not FoldScores({1: 0.9, 2: 0.91}, 3, 0.5).is_above(whole)


def test_the_choices_of_each_fold_are_shown() -> None:
    chosen = analyse(records()).tasks[0].chosen
    assert [(method, trial) for method, trial, _ in chosen] == [
        (method, f"fold {number}: defaults")
        for method in ("lora", "head")
        for number in range(1, K + 1)
    ]


def test_folds_with_a_single_answer_and_failed_trials_are_named() -> None:
    def answers(row: Result) -> Predictions:
        constant = row.task in TASKS[1:3] and row.method == "head"
        return Predictions((0, 1), ("a", "b"), ("a", "a" if constant else "b"))

    made = records()
    made = replace(
        made,
        results=tuple(replace(row, predictions="x") for row in made.results),
        trials=tuple(
            replace(one, status="error", score=None, reason="why")
            if (one.study, one.number) == (made.results[0].study, 1)
            else one
            for one in made.trials
        ),
    )
    lora, head = analyse(made, answers).tasks[0].rows[:2]
    assert head.remarks == ("in folds 2 and 3 every test example gets the same answer",)
    assert lora.remarks == ("fold 1: 1 of 2 trials failed (why)",)


def test_what_holds_for_all_folds_is_noted_once() -> None:
    made = records()
    notes = {task: ("the same", f"only {task}") for task in TASKS}
    shown = analyse(replace(made, notes=notes)).tasks[0].notes
    assert shown == ("the same", *(f"fold {n}: only mine-fold{n}" for n in range(1, K + 1)))
