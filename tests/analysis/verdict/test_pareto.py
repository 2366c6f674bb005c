"""The front with its probabilities: by brute force, and where they are known in closed form."""

from __future__ import annotations

import csv
import html
import io
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tunebench.analysis import analyse
from tunebench.analysis.cells import Cell
from tunebench.analysis.verdict import Draws, Resampled, draws_of
from tunebench.analysis.verdict.pareto import undominated
from tunebench.records import Latency
from tunebench.report import csv as results
from tunebench.report import markdown, page
from tunebench.report.pareto import membership_line

from tests.analysis.planted import answered, reader, records_of
from tests.analysis.verdict.made_up import cells

TASK = "made-up"
Costs = dict[str, tuple[int, list[float], list[float | None]]]
"""Method → trained weights, and of each seed the latency ratio and the peak memory."""


def costing(costs: Costs, shares: dict[str, float] | None = None) -> list[Cell]:
    """Cells with these costs; all methods give the same answers unless `shares` says otherwise."""
    seeds = len(next(iter(costs.values()))[1])
    right = answered(shares or dict.fromkeys(costs, 0.8), seeds, examples=200, noise=0.2)
    if shares is None:
        right = dict.fromkeys(costs, next(iter(right.values())))
    made = []
    for cell in cells(right):
        weights, ratios, memory = costs[cell.result.method]
        ratio, peak = ratios[cell.result.seed], memory[cell.result.seed]
        latency = (Latency(1, 24, 10 * ratio, 12 * ratio, ratio, 50),) if ratio else ()
        record = replace(
            cell.result,
            trainable_params=weights,
            stored_params=weights,
            latency=latency,
            latency_ms=10 * ratio or None,
            peak_memory_mib=peak,
        )
        made.append(replace(cell, result=record))
    return made


def drawn(made: list[Cell]) -> Draws:
    """The draws of a task, its scores without any error."""
    methods = tuple(dict.fromkeys(cell.result.method for cell in made))
    scores = np.array(
        [np.mean([c.result.score for c in made if c.result.method == m]) for m in methods]
    )
    seeds = len(made) // len(methods)
    return draws_of(made, TASK, Resampled(TASK, methods, scores, np.tile(scores, (4000, 1)), seeds))


def beaten(points: np.ndarray[Any, Any], one: int) -> bool:
    """Whether another point is nowhere worse and somewhere better, by its definition."""
    for other in range(len(points)):
        pairs = list(zip(points[other], points[one], strict=True))
        if all(a <= b for a, b in pairs) and any(a < b for a, b in pairs):
            return True
    return False


def test_the_undominated_are_those_that_no_other_one_beats() -> None:
    points = np.random.default_rng(0).integers(0, 4, (300, 6, 3)).astype(float)
    of_task = undominated(points)
    for draw, one in itertools.product(range(300), range(6)):
        assert of_task[draw, one] == (not beaten(points[draw], one))
    assert undominated(np.zeros((2, 3))).all(), "equals do not beat each other"


@pytest.mark.parametrize(
    ("cheap", "dear", "expected"),
    [
        # What is worse in everything is off the front, what is better in anything is on it.
        ((10, [1.0, 1.0], [50, 50]), (20, [1.1, 1.1], [60, 60]), {"a": 1, "b": 0}),
        ((10, [1.0, 1.0], [50, 50]), (5, [1.1, 1.1], [60, 60]), {"a": 1, "b": 1}),
        ((10, [1.0, 1.0], [50, 50]), (20, [0.9, 0.9], [60, 60]), {"a": 1, "b": 1}),
        ((10, [1.0, 1.0], [50, 50]), (20, [1.1, 1.1], [40, 40]), {"a": 1, "b": 1}),
        ((10, [1.0, 1.0], [50, 50]), (10, [1.0, 1.0], [50, 50]), {"a": 1, "b": 1}),
    ],
)
def test_each_cost_alone_keeps_a_method_on_the_front(cheap: Any, dear: Any, expected: Any) -> None:
    assert drawn(costing({"a": cheap, "b": dear})).membership == expected


def test_a_better_score_is_on_the_front_whatever_it_costs() -> None:
    costs: Costs = {"a": (10, [1.0, 1.0], [50, 50]), "b": (20, [1.2, 1.2], [60, 60])}
    assert drawn(costing(costs, {"a": 0.7, "b": 0.9})).membership == {"a": 1, "b": 1}
    assert drawn(costing(costs, {"a": 0.9, "b": 0.7})).membership == {"a": 1, "b": 0}


def test_noise_in_latency_gives_the_chance_of_student_s_t() -> None:
    # b is on the front only where it is faster; the logarithms of three seeds decide.
    ratios = {"a": [1.00, 1.02, 1.05], "b": [1.03, 1.04, 1.01]}
    costs: Costs = {"a": (10, ratios["a"], [50] * 3), "b": (20, ratios["b"], [50] * 3)}
    of_task = drawn(costing(costs))
    gap = np.log(ratios["a"]) - np.log(ratios["b"])
    t = gap.mean() / (gap.std(ddof=1) / np.sqrt(3))
    assert of_task.membership["a"] == 1
    assert of_task.membership["b"] == pytest.approx(stats.t.cdf(t, 2), abs=0.03)
    assert of_task.means["latency"] == pytest.approx([np.mean(ratios["a"]), np.mean(ratios["b"])])


def test_what_nobody_measured_is_no_part_of_it_and_what_some_did_others_lack() -> None:
    costs: Costs = {"a": (10, [0.0, 0.0], [50, 50]), "b": (20, [0.0, 0.0], [60, 60])}
    of_task = drawn(costing(costs))
    assert set(of_task.costs) == {"weights", "memory"}
    assert of_task.membership == {"a": 1, "b": 0}
    costs["b"] = (20, [1.0, 1.0], [60, None])
    of_task = drawn(costing(costs))
    assert of_task.membership == {"b": 1}
    assert of_task.missing == {"a": "latency of a not measured"}
    assert of_task.means["memory"] == pytest.approx([60])


def test_other_costs_may_be_counted_instead() -> None:
    costs: Costs = {"a": (10, [1.0, 1.0], [50, 50]), "b": (20, [1.1, 1.1], [60, 60])}
    of_task = drawn(costing(costs))
    instead = of_task.on_front({"weights": np.array([30.0, 20.0])})
    assert instead.all()


def test_the_analysis_has_them_for_every_cell_and_only_with_answers() -> None:
    costs: Costs = {"a": (10, [1.0, 1.0], [50, 50]), "b": (20, [1.1, 1.1], [60, 60])}
    made = costing(costs)
    analysis = analyse(records_of(made), reader(made))
    (task,) = analysis.tasks
    assert task.draws is not None
    assert {(c.result.method, c.on_front) for c in analysis.cells} == {("a", 1.0), ("b", 0.0)}
    assert "a > 99 % and b < 1 %" in membership_line(task)
    without = analyse(records_of(made)).tasks[0]
    assert without.draws is None
    assert membership_line(without) == ""
    for text in (markdown.text(analysis), page.text(analysis, {})):
        assert membership_line(task) in html.unescape(text).replace("\\", "").replace("\n", " ")
    rows = csv.DictReader(io.StringIO(results.text(analysis, {})))
    assert {(row["method"], float(row["on_front"])) for row in rows} == {("a", 1.0), ("b", 0.0)}


def test_two_seeds_whose_costs_lie_far_apart_draw_no_cost_beyond_all_numbers() -> None:
    """One degree of freedom has no variance: some draws are farther off than any float."""
    made = costing({"a": (10, [0.1, 20.0], [1.0, 5000.0]), "b": (20, [1.0, 1.1], [2.0, 2.0])})
    for cost in drawn(made).costs.values():
        assert np.isfinite(cost).all()
