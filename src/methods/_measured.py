"""What the methods were measured to give: the figures in `measured.json`, each with its command.

That file is the only place where such figures stand by hand. What `tunebench methods NAME` and
docs/methods.md show as measured and the tables of docs/results.md are made from it, so that
measuring again edits one file. Nothing here imports torch.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

REFERENCE = "lora"
"""The method beside which the scores of the others are shown."""
SHOWN = {"sst2": "SST-2", "stsb": "STS-B"}
"""The tasks whose scores are shown with a method: by name, as it is written."""
MEMORY = "sst2"
"""The task whose peak memory is shown; it rises along a run, so that no two tasks compare."""
NOTHING = "not measured"


@dataclass(frozen=True)
class Run:
    """One comparison that was measured."""

    section: str
    """The heading of docs/results.md under which it stands."""
    command: str
    date: str
    seeds: int
    tasks: Mapping[str, Table]


@dataclass(frozen=True)
class Table:
    """A comparison's rows on one task."""

    metric: str
    rows: Mapping[str, Mapping[str, float | None]]
    """By method: the score and, where they were measured, accuracy, trained, with_head, latency_ms,
    ratio (of latencies, to the base model), train_seconds and peak_mib."""


@dataclass(frozen=True)
class Sweep:
    """One method's scores over one of its settings."""

    section: str
    command: str
    date: str
    seeds: int
    method: str
    task: str
    metric: str
    setting: str
    fixed: str
    """The setting that was held, with its value."""
    scores: Mapping[str, float]
    """By the setting's value, as it was typed."""


@functools.cache
def measured() -> tuple[tuple[Run, ...], tuple[Sweep, ...]]:
    """Everything that is recorded."""
    source = resources.files(__package__) / "measured.json"
    raw: Mapping[str, Any] = json.loads(source.read_text("utf-8"))
    runs = tuple(
        Run(**{**run, "tasks": {task: Table(**table) for task, table in run["tasks"].items()}})
        for run in raw["runs"]
    )
    return runs, tuple(Sweep(**sweep) for sweep in raw["sweeps"])


def summary(method: str) -> str:
    """What a method was measured to give, as a sentence; or that nothing was measured."""
    runs, sweeps = measured()
    run = next((run for run in runs if any(method in t.rows for t in run.tasks.values())), None)
    if run is None:
        return NOTHING
    parts = [_scores(run, method), *_latency(run, method), *_memory(run, method)]
    parts += [_sweep(sweep) for sweep in sweeps if sweep.method == method]
    seeds = "one seed" if run.seeds == 1 else f"{run.seeds} seeds"
    return f"{'; '.join(parts)} ({seeds}; docs/results.md)"


def _scores(run: Run, method: str) -> str:
    """The scores, beside the reference's."""
    shown = [task for task in SHOWN if task in run.tasks and method in run.tasks[task].rows]
    scores = " and ".join(
        f"{run.tasks[task].rows[method]['score']:.3f} on {SHOWN[task]}" for task in shown
    )
    if method == REFERENCE:
        return scores
    reference = " and ".join(f"{run.tasks[task].rows[REFERENCE]['score']:.3f}" for task in shown)
    return f"{scores}, where {REFERENCE} has {reference}"


def _latency(run: Run, method: str) -> Iterator[str]:
    ratios = sorted(_values(run, method, "ratio"))
    if ratios:
        low, high = ratios[0], ratios[-1]
        several = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
        yield f"{several} times the base model's latency"


def _memory(run: Run, method: str) -> Iterator[str]:
    row = run.tasks[MEMORY].rows.get(method, {}) if MEMORY in run.tasks else {}
    if row.get("peak_mib") is not None:
        yield f"{row['peak_mib']:,} MiB at the peak on {SHOWN[MEMORY]}"


def _values(run: Run, method: str, key: str) -> Sequence[float]:
    """A figure of a method on every task that has it."""
    rows = [table.rows[method] for table in run.tasks.values() if method in table.rows]
    return [value for row in rows if (value := row.get(key)) is not None]


def _sweep(sweep: Sweep) -> str:
    scores = ", ".join(f"{score:.3f} at {value}" for value, score in sweep.scores.items())
    return f"{SHOWN[sweep.task]} by {sweep.setting} ({sweep.fixed}): {scores}"
