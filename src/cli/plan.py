"""What `--dry-run` prints: the experiment, its data and what it costs, without training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import yaml

from ..analysis.verdict import LOOKS
from ..config import Experiment
from ..data.load import load_tasks
from ..study.checks import check_data
from ..study.init_from import with_sources
from ..study.jobs import searches_of
from .text_table import format_table


@dataclass(frozen=True)
class ComparisonPlan:
    """What a comparison would do."""

    experiment: Experiment
    data: tuple[str, ...]
    """A line for each task: where its rows come from, and how many."""
    tasks: tuple[str, ...]
    """Tasks, or the folds of a file."""
    folded: str
    """The task that the folds belong to; empty where there are none."""
    seeds: tuple[int, ...]
    """All that may be trained."""
    searches: int
    """Searches for each task and method."""

    @property
    def pairs(self) -> int:
        """Tasks (or folds) times methods."""
        return len(self.tasks) * len(self.experiment.methods)

    @property
    def cells(self) -> tuple[int, int]:
        """How many at least and at most; looks may end early."""
        first = LOOKS[0] if self.experiment.until is not None else len(self.seeds)
        return self.pairs * first, self.pairs * len(self.seeds)

    @property
    def trainings(self) -> int:
        """Trials and cells at most."""
        return self.pairs * self.searches * self.experiment.search.trials + self.cells[1]

    def as_json(self) -> dict[str, Any]:
        """The plan for a script."""
        return {
            "tasks": self.tasks,
            "methods": list(self.experiment.methods),
            "seeds": self.seeds,
            "cells": self.cells,
            "trainings": self.trainings,
            "data": self.data,
            "experiment": _plain(asdict(self.experiment)),
        }


def plan_of(experiment: Experiment) -> ComparisonPlan:
    """The plan of a comparison.

    The data is read as a run would read it, so that whatever is wrong with it is answered here.

    Raises:
        UserError: Anything wrong with the settings or the data.
    """
    notes: list[str] = []
    data = load_tasks(experiment.tasks, experiment.data, say=notes.append)
    check_data(experiment, data)
    return ComparisonPlan(
        experiment=with_sources(experiment),
        data=tuple(notes),
        tasks=tuple(one.task.name for one in data),
        folded=next((one.fold.task for one in data if one.fold is not None), ""),
        seeds=experiment.seeds if experiment.until is None else tuple(range(LOOKS[-1])),
        searches=searches_of(experiment),
    )


def text(plan: ComparisonPlan) -> str:
    """The plan for a reader: its data, cells, trainings, the budget's numbers, every setting."""
    experiment, tasks, seeds = plan.experiment, plan.tasks, plan.seeds
    until, what = experiment.until is not None, "folds" if plan.folded else "tasks"
    named = f"1: {plan.folded} in {len(tasks)} folds" if plan.folded else ""
    least, most = plan.cells
    fewest = f"{least} to " if until else ""
    of_searches = f" in each of {plan.searches} searches" if plan.searches > 1 else ""
    trials = f"{_count(experiment.search.trials, 'trial')}{of_searches}"
    each = f"{trials} and {_count(len(seeds), 'seed')}"
    looks = ", ".join(map(str, LOOKS))
    by_looks = f"0, 1, 2, …: looks at {looks} of them, until all is decided"
    rows = [
        ("tasks", named or f"{len(tasks)}: {', '.join(tasks)}"),
        ("methods", f"{len(experiment.methods)}: {', '.join(experiment.methods)}"),
        ("seeds", by_looks if until else f"{len(seeds)}: {', '.join(map(str, seeds))}"),
        ("cells", f"{fewest}{most} ({what} × methods × seeds)"),
        ("trainings", f"at most {plan.trainings}: {each} for each {what[:-1]} and method"),
        ("budget", _budget(experiment)),
    ]
    settings = yaml.safe_dump(_plain(asdict(experiment)), sort_keys=False, allow_unicode=True)
    body = [
        format_table(rows),
        "data\n" + format_table([note] for note in plan.data),
        settings.rstrip(),
    ]
    return "\n\n".join(["Nothing is trained: this is the plan.", *body])


def _budget(experiment: Experiment) -> str:
    """The budget in words; 0 training examples mean all."""
    search = experiment.search
    most = f"at most {search.train_examples:,}" if search.train_examples else "all"
    share = f"{search.validation:.0%} of them, at most {search.validation_examples:,}, to select on"
    trials = f"{_count(search.trials, 'trial')} of {_count(search.trial_epochs, 'epoch')}"
    return (
        f"{experiment.budget}: {trials}, the winner {_count(search.epochs, 'epoch')}; "
        f"{most} training examples ({search.pocket_examples:,} on pocket), {share}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _plain(value: object) -> object:
    """Tuples as lists, which YAML has."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value
