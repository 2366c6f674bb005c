"""The studies of a comparison, task × method: their cells and trials, and what those give."""

from __future__ import annotations

from dataclasses import dataclass

from ..records import Comparison, Curve, Result, Status, Trial
from .values import overall


@dataclass(frozen=True)
class PlannedStudy:
    """One task × method with all that is planned and there of it."""

    study: str
    task: str
    method: str
    rows: tuple[Result, ...]
    """Its cells; none where the search was asked for by itself."""
    trials: tuple[Trial, ...]

    @property
    def begun(self) -> bool:
        """Whether anything of it is there."""
        statuses = [*(row.status for row in self.rows), *(trial.status for trial in self.trials)]
        return any(status != "missing" for status in statuses)

    @property
    def status(self) -> Status:
        """How its cells ended; without cells, how its trials did: one that is complete is enough.

        Without anything it is missing.
        """
        if self.rows:
            return overall(self.rows)
        ended = {trial.status for trial in self.trials}
        return next((s for s in ("complete", "diverged", "error") if s in ended), "missing")

    @property
    def seconds(self) -> float:
        """What it trained in all: its trials and its cells."""
        trials = sum(trial.seconds for trial in self.trials)
        return trials + sum(row.train_seconds or 0 for row in self.rows)

    @property
    def curves(self) -> tuple[tuple[str, Curve], ...]:
        """The learning curves of its trials and cells, by name."""
        curves = [(f"trial {trial.number}", trial.curve) for trial in self.trials]
        curves += [(f"seed {row.seed}", row.curve) for row in self.rows]
        return tuple((name, curve) for name, curve in curves if curve.steps)


def studies(comparison: Comparison) -> dict[str, PlannedStudy]:
    """The planned studies by name, in the order of the table."""
    places = {one.study: (one.task, one.method) for one in comparison.studies}
    for row in comparison.results:
        places.setdefault(row.study, (row.task, row.method))
    return {
        name: PlannedStudy(
            name,
            task,
            method,
            tuple(row for row in comparison.results if row.study == name),
            tuple(trial for trial in comparison.trials if trial.study == name),
        )
        for name, (task, method) in places.items()
    }
