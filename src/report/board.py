"""What is known so far of a running comparison: the state that a live view draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..analysis.format import duration, score
from ..analysis.rows import mean
from ..analysis.studies import best_trial
from ..records import Result, Trial
from ..text import one_line, redact

Cell = tuple[str, str, int]
"""Task, method, seed."""


@dataclass
class Board:
    """Plan, finished cells and the phase that runs now."""

    clock: Callable[[], float]
    """Seconds from any start."""
    cells: tuple[Cell, ...] = ()
    results: list[Result] = field(default_factory=list)
    before: int = 0
    """Cells that were there when the run began."""
    begun: float = 0.0
    task: str = ""
    method: str = ""
    what: str = ""
    running: dict[tuple[str, str, str], None] = field(default_factory=dict)
    """Task, method and phase of everything that runs now, the one that began last at the end."""
    step: int = 0
    steps: int = 0
    loss: float | None = None
    trials: dict[tuple[str, int], Trial] = field(default_factory=dict)
    """Every trial that ended, by study and number."""

    def plan(self, cells: Sequence[Cell], done: Sequence[Result]) -> None:
        """Start over with this plan."""
        self.cells, self.results, self.before = tuple(cells), list(done), len(done)
        self.begun = self.clock()
        self.enter("", "", "")
        self.running = {}

    def enter(self, task: str, method: str, what: str) -> None:
        """The phase that runs from now on."""
        self.task, self.method, self.what = task, method, what
        self.running[task, method, what] = None
        self.step, self.steps, self.loss = 0, 0, None

    def take(self, result: Result) -> None:
        """A cell has ended; passed in twice, it still counts once."""
        self.results = [r for r in self.results if r.cell != result.cell] + [result]

    def try_(self, trial: Trial) -> None:
        """A trial has ended."""
        self.trials[trial.study, trial.number] = trial

    def leave(self, task: str, method: str, what: str) -> None:
        """A phase is over."""
        self.running.pop((task, method, what), None)

    def best_of(self, study: str) -> Trial | None:
        """The best trial of a study so far."""
        return best_trial([one for one in self.trials.values() if one.study == study])

    def trial_line(self, task: str, method: str, trial: Trial) -> str:
        """A trial in one line, with the best of its study so far."""
        name = f"{task} {method} trial {trial.number}"
        if trial.status != "complete":
            return f"{name}: {trial.status}. {trial.reason}"
        best = self.best_of(trial.study) or trial
        line = f"{name}: validation score {score(trial.score)}"
        return f"{line} (best so far: {score(best.score)}, trial {best.number})"

    def best_line(self) -> str:
        """The best trial so far of the study that runs; empty before one is complete."""
        studies = {study for study, _ in self.trials}
        best = self.best_of(studies.pop()) if len(studies) == 1 else None
        if best is None:
            return ""
        return f"best so far: validation score {score(best.score)}, trial {best.number}"

    @property
    def elapsed(self) -> float:
        """Seconds since the plan."""
        return self.clock() - self.begun

    @property
    def left(self) -> float | None:
        """Seconds to the end at the pace so far; none before the first cell has ended."""
        ended = len(self.results) - self.before
        open_cells = max(0, len(self.cells) - len(self.results))
        return self.elapsed * open_cells / ended if ended > 0 else None

    @property
    def failed(self) -> int:
        """Cells that did not end well."""
        return sum(r.status != "complete" for r in self.results)

    def time_line(self) -> str:
        """How far the whole is, and how long the rest may take."""
        left = self.left
        rest = "time left: known after the first cell"
        if left is not None:
            rest = f"about {duration(left)} left"
        failed = f", {self.failed} failed" if self.failed else ""
        done = f"{len(self.results)} of {len(self.cells)} cells{failed}"
        return f"{done}, {duration(self.elapsed)} so far, {rest}"

    def entry(self, task: str, method: str) -> str:
        """What the table shows for a task and method: its score, its status, or that it runs."""
        cells = [r for r in tuple(self.results) if (r.task, r.method) == (task, method)]
        planned = sum((t, m) == (task, method) for t, m, _ in self.cells)
        now = {one[:2] for one in self.running}
        if (task, method) in now and len(cells) < planned:
            return "running"
        if not cells:
            return "·"
        average = mean(r.score for r in cells if r.status == "complete")
        return cells[-1].status if average is None else f"{average.value:.3f}"


def ended(result: Result) -> str:
    """A finished cell in one line."""
    name = f"{result.task} {result.method} seed {result.seed}"
    if result.status != "complete":
        return redact(one_line(f"{name}: {result.status}. {result.reason}"))
    spent = f", trained {duration(result.train_seconds)}" if result.train_seconds else ""
    return one_line(f"{name}: {result.metric} {score(result.score)}{spent}")
