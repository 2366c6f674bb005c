"""From cells to rows: one row for each task and method, one for each reference, none dropped."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from ..records import Comparison, Reference, Status
from .cells import Cell
from .column import METRICS, TABLES, Column
from .folds import FoldScores
from .format import ABSENT, NOISY, Number, listed, present

METHOD_CODE = "method code"
"""The part of a record's origin that is its method's own."""
STATUSES: tuple[Status, ...] = get_args(Status)
"""Every way a cell may end, in the order in which they are counted."""


@dataclass(frozen=True)
class Mean:
    """A number over the seeds of a row, or over its folds, each the mean over its seeds."""

    value: float
    spread: float | None
    """Sample standard deviation; none for one seed or fold."""
    interval: tuple[float, float] | None = None
    """Its 95 % interval, where its column has one."""


@dataclass(frozen=True)
class Failure:
    """Cells of one task and method that ended alike, and not well."""

    task: str
    method: str
    seeds: tuple[int, ...]
    status: Status
    reason: str
    folds: tuple[int, ...] = ()
    """In a cross-validation the fold of each of them."""

    @property
    def where(self) -> str:
        """Which cells: "seed 0, 1", or "fold 2 seed 0, fold 3 seed 0"."""
        seeds = map(str, self.seeds)
        if not self.folds:
            return f"seed {', '.join(seeds)}"
        pairs = zip(self.folds, seeds, strict=True)
        return ", ".join(f"fold {fold} seed {seed}" for fold, seed in pairs)


@dataclass(frozen=True)
class Row:
    """One line of a task's table: a method over its seeds, or a reference without training."""

    task: str
    name: str
    trained: bool
    """False for a reference row."""
    metric: str
    values: Mapping[str, Mean]
    """Column name → mean over the seeds; a column that no seed has a number for is left out."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Column name → what its cells say, for columns of text, and of numbers that noise leaves out;
    a column without any is left out."""
    complete: int = 0
    """Seeds that ended well."""
    planned: int = 0
    test_examples: int = 0
    seed_scores: tuple[float, ...] = ()
    """The score of each cell that ended well."""
    failures: tuple[Failure, ...] = ()
    remarks: tuple[str, ...] = field(default=())
    """What a reader should know of the row's answers, such as that a seed has only one."""
    folds: FoldScores | None = None
    """The scores of a cross-validation's folds; none without one."""

    @property
    def score(self) -> Mean | None:
        """The task's own metric; none while no seed is complete."""
        return self.values.get("score")

    def value(self, column: str) -> float | None:
        """A column's mean without its spread."""
        average = self.values.get(column)
        return None if average is None else average.value

    def absent(self, column: str) -> str:
        """What stands in the place of a cost that has no mean; empty before a seed is complete."""
        return self.texts.get(column, ABSENT) if self.complete else ""


def tally(cells: Sequence[Cell]) -> dict[Status, int]:
    """How many cells ended in each way; the values add up to the plan."""
    ended = [cell.result.status for cell in cells]
    return {status: ended.count(status) for status in STATUSES}


def tally_line(counts: Mapping[Status, int]) -> str:
    """The plan as a sum: "16 planned = 15 complete + 0 diverged + …"."""
    parts = " + ".join(f"{number} {status}" for status, number in counts.items())
    return f"{sum(counts.values())} planned = {parts}"


def rows(
    comparison: Comparison, task: str, cells: Sequence[Cell], columns: Sequence[Column]
) -> tuple[Row, ...]:
    """The task's rows: methods in the order asked for, then the references."""
    of_task = [cell for cell in cells if cell.task == task]
    metric = next((cell.result.metric for cell in of_task if cell.result.metric), "")
    methods = dict.fromkeys((*comparison.methods, *(cell.result.method for cell in of_task)))
    failed, differing = trials_failed(comparison), differing_origins(cells)
    trained = []
    for name in methods:
        of_method = [cell for cell in of_task if cell.result.method == name]
        row = _method(of_method, task, name, metric, columns)
        studies = {cell.result.study: cell.fold for cell in of_method}
        more = [
            failed[study] if fold is None else f"fold {fold.number}: {failed[study]}"
            for study, fold in studies.items()
            if study in failed
        ]
        trained.append(
            replace(row, remarks=(*row.remarks, *more, *_origin_remarks(of_method, differing)))
        )
    untrained: dict[str, list[Reference]] = {}
    for reference in comparison.references:
        if reference.task == task:
            untrained.setdefault(reference.name, []).append(reference)
    return (*trained, *(_reference(each, metric) for each in untrained.values()))


def failures(cells: Iterable[Cell]) -> tuple[Failure, ...]:
    """The cells that are not complete, those of a kind together, in the order of the plan."""
    alike: dict[tuple[str, str, Status, str], list[Cell]] = {}
    for cell in cells:
        result = cell.result
        if result.status != "complete":
            kind = (cell.task, result.method, result.status, result.reason)
            alike.setdefault(kind, []).append(cell)
    return tuple(
        Failure(
            *(task, method, tuple(cell.result.seed for cell in ended), status, reason),
            folds=tuple(cell.fold.number for cell in ended if cell.fold is not None),
        )
        for (task, method, status, reason), ended in alike.items()
    )


def mean(values: Iterable[Number | None]) -> Mean | None:
    """Mean and spread of the finite numbers; none where there are none."""
    known = [v for v in values if v is not None and present(v)]
    if not known:
        return None
    return Mean(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None)


def _method(
    cells: Sequence[Cell], task: str, method: str, metric: str, columns: Sequence[Column]
) -> Row:
    """One method's seeds as a row."""
    done = [cell for cell in cells if cell.result.status == "complete"]
    numeric = [column for column in columns if column.views & (TABLES | METRICS)]
    means = {column.name: _mean_of(column, done) for column in numeric}
    texts = {column.name: _text_of(column, done) for column in columns if column.text}
    texts |= {
        column.name: NOISY
        for column in numeric
        if column.noisy and means[column.name] is None and any(map(column.noisy, done))
    }
    scores = (cell.result.score for cell in done)
    constant = [cell for cell in done if cell.predicts_one_label]
    micro = dict.fromkeys(c.result.micro_batch for c in done if c.result.micro_batch is not None)
    passes = [f"micro-batch {size}: memory was too small for a whole batch" for size in micro]
    return Row(
        task=task,
        name=method,
        trained=True,
        metric=metric,
        values={name: value for name, value in means.items() if value is not None},
        texts={name: text for name, text in texts.items() if text},
        complete=len(done),
        planned=len(cells),
        test_examples=sum(
            max(cell.result.test_examples for cell in part) for part in by_fold(cells).values()
        ),
        seed_scores=tuple(score for score in scores if score is not None and present(score)),
        failures=failures(cells),
        remarks=(*_remarks(constant), *passes),
        folds=fold_scores(done),
    )


def by_fold(cells: Iterable[Cell]) -> dict[int, list[Cell]]:
    """The cells of each fold, by its number; all under 0 without cross-validation."""
    parts: dict[int, list[Cell]] = {}
    for cell in cells:
        parts.setdefault(0 if cell.fold is None else cell.fold.number, []).append(cell)
    return parts


def by_search(cells: Iterable[Cell]) -> dict[int, list[Cell]]:
    """The cells of each search, by its number; all under 0 where there is one."""
    parts: dict[int, list[Cell]] = {}
    for cell in cells:
        parts.setdefault(cell.search, []).append(cell)
    return parts


def _mean_of(column: Column, cells: Sequence[Cell]) -> Mean | None:
    """A column's mean over the seeds, or over the folds; none where it holds no number.

    With several searches it is the mean over these of the mean over each one's seeds, whose numbers
    may differ by one; the spread is that of all seeds.
    """
    parts = list(by_fold(cells).values())
    if len(parts) > 1:
        each = [_mean_of(column, part) for part in parts]
        return mean(one.value for one in each if one is not None)
    values = [column.read(cell) for cell in cells]
    every = mean(value for value in values if isinstance(value, int | float))
    if every is not None and column.interval is not None:
        every = replace(every, interval=column.interval(cells))
    searches = list(by_search(cells).values())
    if every is None or len(searches) < 2:
        return every
    means = mean(one.value for part in searches if (one := _mean_of(column, part)) is not None)
    return every if means is None else replace(every, value=means.value)


def _text_of(column: Column, cells: Sequence[Cell]) -> str:
    """What a column of text says of the seeds, each text once."""
    return listed(list(dict.fromkeys(str(column.read(cell) or "") for cell in cells)))


def fold_scores(done: Sequence[Cell]) -> FoldScores | None:
    """The scores of a cross-validation's complete cells by fold."""
    fold = next((cell.fold for cell in done if cell.fold is not None), None)
    if fold is None:
        return None
    means = {
        number: mean(cell.result.score for cell in part) for number, part in by_fold(done).items()
    }
    results = [cell.result for cell in done]
    trained = sum(result.train_examples + result.validation_examples for result in results)
    return FoldScores(
        {number: one.value for number, one in means.items() if one is not None},
        fold.count,
        sum(result.test_examples for result in results) / max(1, trained),
    )


def _remarks(constant: Sequence[Cell]) -> tuple[str, ...]:
    """What is wrong with answers that did not fail."""
    if not constant:
        return ()
    seeds = listed([str(cell.result.seed) for cell in constant])
    folds = dict.fromkeys(cell.fold.number for cell in constant if cell.fold is not None)
    if folds:
        where = f"{'fold' if len(folds) == 1 else 'folds'} {listed([str(one) for one in folds])}"
        return (f"in {where} every test example gets the same answer",)
    subject = f"seed {seeds} gives" if len(constant) == 1 else f"seeds {seeds} give"
    return (f"{subject} every test example the same answer",)


def differing_origins(cells: Iterable[Cell]) -> tuple[str, ...]:
    """In what the makers of complete cells differ, such as "device"; methods have own code."""
    done = [cell.result for cell in cells if cell.result.status == "complete"]
    names = dict.fromkeys(name for result in done for name in result.origin)
    return tuple(
        name
        for name in names
        if name != METHOD_CODE and len({result.origin.get(name, "") for result in done}) > 1
    )


def _origin_remarks(cells: Sequence[Cell], differing: Sequence[str]) -> Iterator[str]:
    """What made a row's cells, where the cells of one table were not all made by the same."""
    done = [cell.result for cell in cells if cell.result.status == "complete"]
    codes = {result.origin.get(METHOD_CODE, "") for result in done}
    if len(codes) > 1:
        yield "its seeds were trained by different versions of the method's code"
    for name in differing:
        values = dict.fromkeys(result.origin.get(name) or "unknown" for result in done)
        if values:
            yield f"made with {name} {listed([value[:60] for value in values])}, others not"


def trials_failed(comparison: Comparison) -> Mapping[str, str]:
    """Study → how many of its trials failed, and why.

    Left out are studies without any, and those of which all failed: the reasons of their cells say
    so.
    """
    notes = {}
    for study in dict.fromkeys(trial.study for trial in comparison.trials):
        trials = [trial for trial in comparison.trials if trial.study == study]
        failed = [trial for trial in trials if trial.status != "complete"]
        if len(failed) < len(trials) and failed:
            again = sum(trial.failure == "transient" for trial in failed)
            verb = "runs" if again == 1 else "run"
            more = f"; {again} of them {verb} again with the next start" if again else ""
            reasons = "; ".join(dict.fromkeys(filter(None, (t.reason for t in failed))))
            because = f" ({reasons[:160]})" if reasons else ""
            notes[study] = f"{len(failed)} of {len(trials)} trials failed{because}{more}"
    return notes


def _reference(folds: Sequence[Reference], metric: str) -> Row:
    """A row that needs no training: one record, or one for each fold."""
    numbers = [{**one.metrics, "score": one.score, "accuracy": one.accuracy} for one in folds]
    names = dict.fromkeys(name for one in numbers for name in one)
    means = {name: mean(one.get(name) for one in numbers) for name in names}
    return Row(
        task=folds[0].task,
        name=folds[0].name,
        trained=False,
        metric=metric,
        values={name: value for name, value in means.items() if value is not None},
    )
