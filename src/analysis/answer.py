"""What the tables say, in sentences that claim no more than the numbers carry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..records import Comparison
from .leads import Lead, averages, lead
from .rows import Row, rows
from .words import listed, plural

FEW_TRIALS = 10
"""Below so many trials a study has hardly searched."""


def trials_of(comparison: Comparison) -> int:
    """Trials in each study: as planned, or as found where the plan does not say."""
    search = comparison.experiment.get("search")
    planned = search.get("trials") if isinstance(search, Mapping) else None
    found = 1 + max((trial.number for trial in comparison.trials), default=-1)
    return planned if isinstance(planned, int) else found


def is_barely_tuned(comparison: Comparison) -> bool:
    """Whether the studies were too short to have searched."""
    return trials_of(comparison) < FEW_TRIALS


def budget_words(comparison: Comparison) -> str:
    """How much the numbers rest on: "one seed, barely tuned (2 trials)", "5 seeds, 12 trials"."""
    trials = trials_of(comparison)
    seeds = plural(len(comparison.seeds), "seed")
    if is_barely_tuned(comparison):
        return f"{seeds}, barely tuned ({plural(trials, 'trial')})"
    return f"{seeds}, {plural(trials, 'trial')}"


def sources(comparison: Comparison) -> dict[str, list[str]]:
    """Data source → the tasks that come from it, in the order of the tasks."""
    found: dict[str, list[str]] = {}
    for task in comparison.tasks:
        found.setdefault(comparison.sources.get(task, "unknown data"), []).append(task)
    return found


def answer(comparison: Comparison) -> str:
    """Which methods lead, and how far that can be trusted: one short paragraph."""
    return " ".join(filter(None, (leaders(comparison), doubts(comparison))))


def leaders(comparison: Comparison) -> str:
    """Which methods lead: one sentence."""
    leads = _leads(comparison)
    if not leads:
        return "No cell is complete yet, so there is nothing to compare."
    return _one_task(leads[0]) if len(comparison.tasks) == 1 else _many_tasks(comparison, leads)


def doubts(comparison: Comparison) -> str:
    """How far the leaders can be trusted; empty while there are none."""
    leads = _leads(comparison)
    if not leads:
        return ""
    tables = [rows(comparison, task) for task in comparison.tasks]
    parts = (_caution(comparison, leads), _gaps(comparison), _references(tables))
    return " ".join(filter(None, parts))


def _leads(comparison: Comparison) -> list[Lead]:
    """The leader of each task that has one."""
    found = (lead(rows(comparison, task)) for task in comparison.tasks)
    return [ahead for ahead in found if ahead is not None]


def _one_task(ahead: Lead) -> str:
    """The leader of the only task."""
    score = ahead.row.score.value if ahead.row.score is not None else math.nan
    return f"On {ahead.row.task}, {ahead.row.name} leads ({ahead.row.metric} {score:.3f})."


def _many_tasks(comparison: Comparison, leads: Sequence[Lead]) -> str:
    """The highest means over all tasks; methods with a gap have no mean."""
    means = [(mean, method) for method, _, mean in averages(comparison) if mean is not None]
    wins = [ahead.row.name for ahead in leads]
    if not means:
        each = [f"{ahead.row.name} on {ahead.row.task}" for ahead in leads]
        return f"No method is complete on every task; the leaders so far are {listed(each)}."
    ranked = [f"{method} ({mean:.3f})" for mean, method in sorted(means, key=lambda m: -m[0])]
    best = max(means, key=lambda m: m[0])[1]
    then = f", then {listed(ranked[1:3])}" if ranked[1:] else ""
    tasks = len(comparison.tasks)
    return (
        f"Averaged over {tasks} tasks, {ranked[0]} leads{then}; "
        f"{best} has the highest score on {wins.count(best)} of {tasks}."
    )


def _caution(comparison: Comparison, leads: Sequence[Lead]) -> str:
    """What the seeds and the test examples cannot separate."""
    unclear = [ahead.row.task for ahead in leads if ahead.margin is not None and ahead.close]
    seeds = len(comparison.seeds)
    said = "One seed cannot separate methods that score close together."
    if seeds > 1:
        said = f"The numbers are means over {seeds} seeds."
    if not unclear:
        return said
    tasks = "" if len(comparison.tasks) == 1 else f"On {listed(unclear)} "
    opening = f"{tasks}{'the' if tasks else 'The'} test examples alone leave the first place open"
    return f"{said} {opening}."


def _gaps(comparison: Comparison) -> str:
    """The methods that have no mean because some task lacks a score."""
    gaps = [method for method, _, mean in averages(comparison) if mean is None]
    if not gaps or len(gaps) == len(comparison.methods) or len(comparison.tasks) == 1:
        return ""
    return f"Not complete on every task, and so without a mean: {listed(gaps)}."


def _references(tables: Sequence[Sequence[Row]]) -> str:
    """The tasks on which training did not pay."""
    beaten = []
    for table in tables:
        ahead = lead(table)
        plain = [(r.score.value, r) for r in table if not r.trained and r.score is not None]
        if ahead is None or ahead.row.score is None or not plain:
            continue
        top, reference = max(plain, key=lambda pair: pair[0])
        if top >= ahead.row.score.value:
            beaten.append(f"{reference.task} ({reference.name}, {top:.3f})")
    if not beaten:
        return ""
    return f"No trained method beats the rows that need no training on {listed(beaten)}."
