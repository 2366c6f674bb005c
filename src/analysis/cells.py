"""The cells of a comparison with everything that a column may read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..records import Comparison, Fold, Latency, Result
from .calibration_error import ErrorReader, calibration_error
from .format import present
from .predictions import PredictionReader, Predictions

if TYPE_CHECKING:
    from .retention import Forgetting
    from .training_cost import Target

LEAST_REPEATS_FOR_P95 = 130
"""Below so many passes hardly any lie above the 95th percentile, and it is no more than a guess."""


@dataclass(frozen=True)
class Cell:
    """One task × method × seed: its record, and what is known only beside the other cells."""

    result: Result
    base_latency_ms: float | None = None
    """One text through the base model, in ms: one figure for all cells of a task."""
    predictions: Predictions | None = None
    """The answers to the test examples; none where no reader was passed or no file is there."""
    run_id: str = ""
    """Its run in MLflow, once that is known."""
    trials_failed: int = 0
    """Trials of its study that did not complete."""
    fold: Fold | None = None
    """Which round of a cross-validation it is; none without one."""
    calibration_error: float | None = None
    """ECE of its answers; none where these, or their probabilities, are not there."""
    on_front: float | None = None
    """The probability that its method is on the task's Pareto front; none where that is unknown."""
    search: int = 0
    """Which of several searches found its settings, from 0."""
    searches: int = 1
    """How many searches each method and task of the comparison has."""
    interval: tuple[float, float] | None = None
    """The 95 % interval of its method's mean score over seeds and test examples; none without
    stored answers, and where nothing was repeated."""
    target: Target | None = None
    """When its winner's trial reached the task's target; none where that is not known."""
    forgetting: Forgetting | None = None
    """What its model has lost on plain text; none where that was not measured."""
    group: str = ""
    """Its method's tie groups as letters, such as "ab"; empty where no seeds tell methods apart."""

    @property
    def task(self) -> str:
        """The task that it is shown under: of a fold the file's, else the record's own."""
        return self.result.task if self.fold is None else self.fold.task

    @property
    def single(self) -> Latency | None:
        """The batch-1 measurement at the task's median length."""
        ones = [each for each in self.result.latency if each.batch == 1]
        known = self.result.latency_ms or 0
        return min(ones, key=lambda each: abs(each.median_ms - known), default=None)

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds that may be compared with those of the task's other cells.

        Cells are timed minutes apart, and a machine may be slower by half at one of those moments.
        Each is timed in turns with the base model, so that their ratio does not suffer; times one
        base latency for the whole task it is in milliseconds again. Where no ratio was taken, it
        is the latency as it was measured; where the machine was too unsteady for one, none.
        """
        single = self.single
        measured = self.result.latency_ms
        if not present(measured) or single is None:
            return measured
        if single.ratio is None:
            return None
        return measured if self.base_latency_ms is None else single.ratio * self.base_latency_ms

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of one text's latency, where enough passes were timed."""
        return p95(self.single)

    @property
    def noisy(self) -> bool:
        """Whether the machine was too unsteady to state the latency of one text."""
        return self.single is not None and self.single.ratio is None

    @property
    def predicts_one_label(self) -> bool:
        """Whether every test example got the same answer although their labels differ."""
        return self.predictions is not None and self.predictions.is_constant


def p95(latency: Latency | None) -> float | None:
    """The 95th percentile in ms; none where too few passes were timed to know it."""
    if latency is None or latency.repeats < LEAST_REPEATS_FOR_P95:
        return None
    return latency.p95_ms


def searches_of(comparison: Comparison) -> int:
    """How many searches each method and task of a comparison has."""
    return 1 + max((study.number for study in comparison.studies), default=0)


def cells_of(
    comparison: Comparison,
    read: PredictionReader | None = None,
    calibration: ErrorReader | None = None,
) -> tuple[Cell, ...]:
    """Every planned cell, in the order of the plan.

    A cell that the records do not hold is added as missing (but under `until`, where how many seeds
    a method needs is seen as they come), and what a missing cell cannot know
    (where its data comes from, which backbone was asked for) is taken from the plan.

    Args:
        comparison: What was planned and what is there of it.
        read: Reads a cell's stored answers; without it cells have none.
        calibration: Gives a cell's calibration error, where it is known without its answers.
    """
    there = {(r.task, r.method, r.seed) for r in comparison.results}
    planned = (
        (task, method, seed)
        for task in comparison.tasks
        for method in comparison.methods
        for seed in comparison.seeds
        if not comparison.experiment.get("until")
    )
    absent = (
        Result(f"{task}/{method}/{seed}", f"{task}/{method}", task, method, seed, "missing")
        for task, method, seed in planned
        if (task, method, seed) not in there and (not comparison.folds or task in comparison.folds)
    )
    results = [_named(result, comparison) for result in (*comparison.results, *absent)]
    folds = comparison.folds
    base = _base_latencies([Cell(result, fold=folds.get(result.task)) for result in results])
    failed = Counter(trial.study for trial in comparison.trials if trial.status != "complete")
    numbers = {study.study: study.number for study in comparison.studies}
    searches = searches_of(comparison)
    cells = []
    for result in results:
        answers = read(result) if read and result.predictions else None
        if calibration is not None:
            error = calibration(result)
        else:
            error = None if answers is None else calibration_error(answers)
        cells.append(
            Cell(
                result,
                base.get(folds[result.task].task if result.task in folds else result.task),
                answers,
                trials_failed=failed[result.study],
                fold=folds.get(result.task),
                calibration_error=error,
                search=numbers.get(result.study, 0),
                searches=searches,
            )
        )
    return tuple(cells)


def _named(result: Result, comparison: Comparison) -> Result:
    """The result with its source and backbone, from the plan where it has none itself."""
    settings = comparison.experiment.get("backbone")
    backbone = str(settings.get("name", "")) if isinstance(settings, Mapping) else ""
    return replace(
        result,
        data_source=result.data_source or comparison.sources.get(result.task, ""),
        backbone=result.backbone or backbone,
    )


def _base_latencies(cells: Sequence[Cell]) -> dict[str, float]:
    """Task → the base model's latency in ms, as measured beside the task's first complete cell.

    It must be one figure for the task and must not change while further cells come in, or every
    run in MLflow would be written again; which cell it comes from changes no comparison.
    """
    base: dict[str, float] = {}
    for cell in cells:
        single = cell.single
        if cell.result.status != "complete" or single is None or single.ratio is None:
            continue
        if single.ratio > 0:
            latency = single.median_ms / single.ratio
            if present(latency):
                base.setdefault(cell.task, latency)
    return base
