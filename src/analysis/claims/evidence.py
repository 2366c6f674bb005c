"""The runs at hand, by what they differ in: arms, each a method with one configuration on one task.

Every comparison of an output folder counts. Two arms may be compared where task, backbone, training
settings and budget are the same but for what a claim is about: rate, size, epochs, examples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from ...records import Comparison, Measurement, Result
from ..cells import Cell
from ..format import present
from ..predictions import PredictionReader
from ..verdict.judged import margin_of
from ..verdict.matching import Scored, scored
from ..verdict.task_verdict import MARGIN


class _Figures(NamedTuple):
    values: tuple[str, ...] = ()
    rounds: tuple[str, ...] = ()


FIGURES: Mapping[str, _Figures] = {
    "start": _Figures(("change",)),
    "work": _Figures(("flops", "base_flops", "length", "tokens", "positions")),
    "memory": _Figures(("state", "activations")),
    "latency": _Figures(rounds=("served",)),
    "merge": _Figures(("fp32", "bf16")),
}
"""What each kind of measurement holds; `study/measurements.py` makes them."""


@dataclass(frozen=True)
class Condition:
    """What all methods of a comparison share."""

    task: str
    examples: int
    """Training examples of a winner, validation included."""
    epochs: int
    protocol: str
    """Training settings, and how much was searched, as JSON."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One method with one configuration under one condition: a cell for each seed."""

    method: str
    condition: Condition
    pins: Mapping[str, Any]
    """The settings that its experiment gave it; none where it is as it comes."""
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """The method with what sets it apart: "prefix (length 100)"."""
        pins = ", ".join(f"{key} {_written(value)}" for key, value in self.pins.items())
        return f"{self.method} ({pins})" if pins else self.method

    @cached_property
    def scored(self) -> Scored:
        """What its cells have to be compared by.

        Raises:
            CannotPair: The answers of one cannot be used.
        """
        return scored(self.cells)

    @property
    def first(self) -> Result:
        """The record of its first seed; all seeds have the same settings."""
        return self.cells[0].result

    @property
    def runs(self) -> tuple[str, ...]:
        """The names of its cells."""
        return tuple(cell.result.cell for cell in self.cells)

    def setting(self, name: str) -> Any:
        """The value of a setting, pinned, found or the default; none where it has no such."""
        return self.first.hyperparameters.get(name)

    def ratios(self, batch: int) -> tuple[float, ...]:
        """Latency of each seed's folded model to the base model's, for so many texts in a pass."""
        return tuple(
            each.ratio
            for cell in self.cells
            for each in cell.result.latency
            if each.batch == batch and each.ratio is not None and present(each.ratio)
        )


@dataclass(frozen=True)
class Evidence:
    """All arms of one backbone, and what was measured of it."""

    arms: tuple[Arm, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    margin: float = MARGIN
    """Differences within ± margin count as none."""

    def conditions(self, *methods: str) -> Iterator[tuple[Condition, Mapping[str, Arm]]]:
        """Each condition under which all of these methods ran as they come, with those arms."""
        by_condition: dict[Condition, dict[str, Arm]] = {}
        for arm in self.arms:
            if not arm.pins:
                by_condition.setdefault(arm.condition, {}).setdefault(arm.method, arm)
        for condition, arms in by_condition.items():
            if all(method in arms for method in methods):
                yield condition, arms

    def of(self, *methods: str) -> Iterator[Arm]:
        """Every arm of these methods."""
        return (arm for arm in self.arms if arm.method in methods)

    def variants(self, method: str, setting: str) -> Iterator[Mapping[Any, Arm]]:
        """Groups of a method's arms that differ in one setting alone: its value → the arm."""
        groups: dict[Any, dict[Any, Arm]] = {}
        for arm in self.of(method):
            others = json.dumps({k: v for k, v in arm.pins.items() if k != setting}, default=str)
            value = arm.setting(setting)
            # Numbers are compared with numbers; a record may come from a stranger.
            if isinstance(value, int | float | str):
                kind = isinstance(value, str)
                groups.setdefault((arm.condition, others, kind), {}).setdefault(value, arm)
        return (group for group in groups.values() if len(group) > 1)

    def by(self, key: Callable[[Arm], Any], *methods: str) -> Iterator[Sequence[Arm]]:
        """Groups of arms of these methods, as they come, with one key."""
        groups: dict[Any, list[Arm]] = {}
        for arm in self.of(*methods):
            if not arm.pins:
                groups.setdefault(key(arm), []).append(arm)
        return iter(groups.values())

    def measured(self, kind: str) -> tuple[Measurement, ...]:
        """The measurements of one kind that have all of its figures.

        A record may come from a stranger.
        """
        wanted = FIGURES[kind]
        return tuple(
            one
            for one in self.measurements
            if one.kind == kind
            and all(present(one.values.get(name)) for name in wanted.values)
            and all(len(one.rounds.get(name, ())) > 1 for name in wanted.rounds)
        )


def evidence_of(
    comparisons: Sequence[Comparison],
    measurements: Sequence[Measurement] = (),
    read: PredictionReader | None = None,
) -> Evidence:
    """What the comparisons of a folder have to say, on the backbone of the last one of them.

    Args:
        comparisons: The last one decides on which backbone claims are checked; those with folds,
            whose rounds share training rows, are left out.
        measurements: What was measured without training.
        read: Reads a cell's stored answers.
    """
    usable = [one for one in comparisons if not one.folds]
    digests = [r.backbone_digest for one in usable for r in one.results if r.status == "complete"]
    digest = digests[-1] if digests else ""
    groups: dict[tuple[str, Condition], dict[str, tuple[Result, Mapping[str, Any]]]] = {}
    for comparison in usable:
        for result in comparison.results:
            if result.status != "complete" or result.backbone_digest != digest:
                continue
            pins = _mapping(_mapping(comparison.experiment, "methods"), result.method)
            key = (result.study, _condition(comparison, result))
            groups.setdefault(key, {}).setdefault(result.cell, (result, pins))
    arms = []
    for (_, condition), rows in groups.items():
        (first, pins), *_ = rows.values()
        cells = tuple(
            Cell(row, predictions=read(row) if read and row.predictions else None)
            for row, _ in sorted(rows.values(), key=lambda pair: pair[0].seed)
        )
        arms.append(Arm(first.method, condition, pins, cells))
    return Evidence(
        tuple(arms),
        tuple(one for one in measurements if one.backbone_digest == digest),
        margin_of(comparisons[-1]) if comparisons else MARGIN,
    )


def _condition(comparison: Comparison, result: Result) -> Condition:
    """What a cell shares with others that it may be compared with."""
    experiment = comparison.experiment
    search = _mapping(experiment, "search")
    protocol = {
        "train": {k: v for k, v in _mapping(experiment, "train").items() if k != "threads"},
        "pooling": _mapping(experiment, "backbone").get("pooling"),
        "data": {
            key: _mapping(experiment, "data").get(key)
            for key in ("max_length", "template", "label_words", "metric")
        },
        "search": {key: search.get(key) for key in ("trials", "trial_epochs")},
    }
    epochs = search.get("epochs")
    return Condition(
        task=result.task,
        examples=result.train_examples + result.validation_examples,
        epochs=epochs if isinstance(epochs, int) else 0,
        protocol=json.dumps(protocol, sort_keys=True, default=str),
    )


def _mapping(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A group of settings; empty where a record, which may come from a stranger, has none."""
    value = of.get(key)
    return value if isinstance(value, Mapping) else {}


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
