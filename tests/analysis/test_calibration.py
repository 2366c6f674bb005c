"""A method's calibration over seeds: its interval covers, and every view shows it or none does."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tunebench.analysis import PredictionReader, Predictions, analyse
from tunebench.analysis.calibration import Calibration, calibrations
from tunebench.analysis.calibration_error import calibration_error
from tunebench.analysis.cells import Cell
from tunebench.records import Comparison, Fold, Result
from tunebench.report import write
from tunebench.report.console import plain, written
from tunebench.report.terminal import show

from tests.records import comparison

EXAMPLES = 300
TOO_SURE = 0.2
"""By how much confidence is above accuracy: the true ECE."""
Draw = Callable[[Result], Predictions]


def records_of(seeds: tuple[int, ...], methods: tuple[str, ...] = ("lora",)) -> Comparison:
    """Cells with a prediction file each."""
    records = comparison(("sst2",), methods, seeds)
    rows = [replace(row, predictions="one") for row in records.results]
    return replace(records, results=tuple(rows))


def study(draw: int, seeds: int, seed_sd: float = 0.0) -> PredictionReader:
    """Answers of confidence c that are right with probability c - `TOO_SURE` ± a seed's own shift.

    An example is as hard for one seed as for another, but for half of the luck.
    """
    generator = np.random.default_rng(draw)
    confidence = (generator.integers(10, 15, EXAMPLES) + 0.5) / 15
    hard = generator.uniform(size=EXAMPLES)
    shift = seed_sd * generator.normal(size=seeds)
    mixed = generator.uniform(size=(seeds, EXAMPLES))

    def read(row: Result) -> Predictions:
        # Half of an answer's luck is the example's, half the seed's; the sum's rank is uniform.
        luck = (hard + mixed[row.seed]) / 2
        rank = np.where(luck < 0.5, 2 * luck**2, 1 - 2 * (1 - luck) ** 2)
        right = rank < confidence - TOO_SURE + shift[row.seed]
        labels = tuple("yes" if one else "no" for one in right)
        more = {"probability_yes": confidence.tolist(), "probability_no": (1 - confidence).tolist()}
        return Predictions(tuple(range(EXAMPLES)), labels, ("yes",) * EXAMPLES, more)

    return read


def calibration_of(read: PredictionReader, seeds: int) -> Calibration:
    """The calibration of the only method of a study."""
    (one,) = analyse(records_of(tuple(range(seeds))), read).tasks[0].calibrations
    return one


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "seed_sd"), [(1, 0.0), (3, 0.0), (5, 0.03)])
def test_the_interval_covers_the_true_error(seeds: int, seed_sd: float) -> None:
    draws = 600
    studies = [calibration_of(study(draw, seeds, seed_sd), seeds) for draw in range(draws)]
    covered = sum(one.interval[0] <= TOO_SURE <= one.interval[1] for one in studies) / draws
    # 95 % less three standard errors of 600 draws, and less what few degrees of freedom cost.
    assert 0.91 <= covered <= 0.99


def test_the_mean_over_seeds_lies_in_its_interval_and_several_seeds_narrow_it() -> None:
    read = study(3, 5)
    one, five = calibration_of(read, 1), calibration_of(read, 5)
    for each in (one, five):
        low, high = each.interval
        assert low < each.error.value < high
        assert each.examples == EXAMPLES
    assert one.error.spread is None
    assert five.error.spread is not None
    assert np.ptp(five.interval) < np.ptp(one.interval)
    rows = records_of(tuple(range(5))).results
    errors = [calibration_error(read(row)) for row in rows]
    assert five.error.value == pytest.approx(np.mean(errors))
    assert five.confidence - five.accuracy == pytest.approx(TOO_SURE, abs=0.05)


def test_no_interval_leaves_the_range_of_the_error() -> None:
    def read(row: Result) -> Predictions:
        more = {"probability_yes": [1.0, 1.0]}
        return Predictions((0, 1), ("yes", "yes"), ("yes", "yes"), more)

    one = calibration_of(read, 1)
    assert (one.interval, one.error.value, one.by_chance) == ((0, 0), 0, 0)


def test_a_wide_interval_ends_at_one() -> None:
    def wrong(row: Result) -> Predictions:
        more = {"probability_yes": [1.0] * 8}
        return Predictions(tuple(range(8)), ("no",) * 7 + ("yes",), ("yes",) * 8, more)

    one = calibration_of(wrong, 1)
    low, high = one.interval
    assert (one.error.value, high) == (7 / 8, 1)
    assert 0 < low < one.error.value


def test_a_failed_cell_and_one_of_other_examples_do_not_count() -> None:
    records = records_of((0, 1, 2))
    read = study(1, 3)
    failed = replace(records.results[1], status="error")
    records = replace(records, results=(records.results[0], failed, records.results[2]))

    def other_ids(row: Result) -> Predictions | None:
        answers = read(row)
        assert answers is not None
        return replace(answers, ids=tuple(range(1, EXAMPLES + 1))) if row.seed == 2 else answers

    (one,) = analyse(records, read).tasks[0].calibrations
    assert one.seeds == 2
    (one,) = analyse(records, other_ids).tasks[0].calibrations
    assert one.seeds == 1


def test_the_folds_of_a_file_are_joined() -> None:
    records, read = records_of((0,)), study(5, 1)
    whole = read(records.results[0])
    assert whole is not None

    def part(number: int) -> Cell:
        """Every other row, under a task of its own."""
        rows = range(number - 1, EXAMPLES, 2)
        answers = Predictions(
            tuple(rows),
            tuple(whole.labels[i] for i in rows),
            tuple(whole.predictions[i] for i in rows),
            {name: [values[i] for i in rows] for name, values in whole.more.items()},
        )
        result = replace(records.results[0], task=f"sst2-fold{number}")
        return Cell(result, predictions=answers, fold=Fold("sst2", number, 2))

    (one,) = calibrations([part(1), part(2)], "sst2")
    assert one.error.value == pytest.approx(calibration_error(whole))
    assert (one.seeds, one.examples) == (1, EXAMPLES)


def test_page_markdown_and_csv_show_it_and_the_terminal_does_not(tmp_path: Path) -> None:
    records, read = records_of((0, 1), ("lora", "head")), study(7, 2)
    analysis = analyse(records, read)
    results, _, markdown, page = (path.read_text("utf-8") for path in write(analysis, tmp_path, {}))
    errors = [calibration_error(read(row)) for row in records.results]
    rows = csv.DictReader(io.StringIO(results, newline=""))
    assert [float(row["ece"]) for row in rows] == errors
    one = analysis.tasks[0].calibrations[0]
    shown = f"{one.error.value:.3f} ± {one.error.spread:.3f}"
    low, high = one.interval
    line = f"| lora | {shown} | {low:.3f} to {high:.3f} | {one.by_chance:.3f} |"
    assert line in markdown
    assert "| ECE |" in markdown
    assert "- ECE: Expected calibration error" in markdown
    assert "<summary>Calibration</summary>" in page
    assert f'data-value="{one.error.value!r}">{shown}</td>' in page
    console = plain()
    show(analysis, tmp_path, console)
    assert "ECE" not in written(console)


def test_without_probabilities_no_view_has_a_column_or_a_table(tmp_path: Path) -> None:
    def numbers(row: Result) -> Predictions:
        return Predictions((0, 1, 2), (0.5, 1.5, 2.0), (0.4, 1.0, 2.5))

    analysis = analyse(records_of((0,)), numbers)
    _, _, markdown, page = (path.read_text("utf-8") for path in write(analysis, tmp_path, {}))
    for text in (markdown, page):
        assert "ECE</th>" not in text
        assert "| ECE |" not in text
        assert "Calibration" not in text


def test_the_errors_may_come_without_the_answers() -> None:
    records, read = records_of((0, 1)), study(2, 2)
    whole = analyse(records, read)
    errors = {cell.result.cell: cell.calibration_error for cell in whole.cells}
    less = analyse(records, calibration=lambda row: errors[row.cell])
    assert [cell.calibration_error for cell in less.cells] == list(errors.values())
    assert [cell.predictions for cell in less.cells] == [None, None]
    assert less.tasks[0].rows[0].value("ece") == whole.tasks[0].rows[0].value("ece")
