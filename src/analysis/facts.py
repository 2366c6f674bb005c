"""What a reader needs to judge or repeat a comparison: settings, versions, device, choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..records import Comparison, Result
from .rows import cells
from .words import listed

READING = (
    ("score", "The task's own metric on the test split; ± is the standard deviation over seeds."),
    ("trained", "Weights that the method trains; “with head” adds the linear head's."),
    ("stored", "Weights on disk beside the backbone when the method is served, head not counted."),
    ("latency", "Median of one text at the task's median length, in the form it is served in."),
    ("× bare", "That latency over the bare backbone's, measured in turns in the same process."),
    ("train s", "Wall time of the winner's training, validation excluded."),
    ("peak MiB", "Highest memory of the process while it trained; on a GPU, of its allocator."),
    ("no training", "Reference rows: what can be had without fine-tuning."),
)
"""What the columns say, in the order of the tables."""


def facts(comparison: Comparison) -> list[tuple[str, str]]:
    """Named facts in reading order; those that nothing is known of are left out."""
    done = [r for r in cells(comparison) if r.status == "complete"]
    named = [
        ("Backbone", _distinct(_named(r.backbone, r.backbone_digest) for r in done)),
        ("Left out", "; ".join(f"{name}: {why}" for name, why in comparison.left_out.items())),
        ("Device", _distinct(r.device for r in done)),
        ("Examples", _examples(comparison, done)),
        ("Training", _settings(comparison, "train")),
        ("Search", _settings(comparison, "search")),
        ("Versions", _distinct(_pairs(r.versions) for r in done)),
        ("Created", comparison.created),
        ("Comparison", comparison.id),
    ]
    return [(name, value) for name, value in named if value]


def chosen(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """Task, method, the winning trial, and its hyperparameters."""
    found: dict[tuple[str, str], Result] = {}
    for r in cells(comparison):
        if r.hyperparameters:
            found.setdefault((r.task, r.method), r)
    return [
        (task, method, _trial(r.best_trial), _pairs(r.hyperparameters))
        for (task, method), r in found.items()
    ]


def _trial(number: int | None) -> str:
    """The winning trial; trial 0 is the method's defaults."""
    return "" if number is None else "defaults" if number == 0 else str(number)


def _examples(comparison: Comparison, done: list[Result]) -> str:
    """How many rows each task trained, chose and was tested on, and how many texts were cut."""
    first = {r.task: r for r in reversed(done)}
    parts = [
        f"{task} {r.train_examples:,} train and {r.validation_examples:,} validation (the winner "
        f"trains on both), "
        f"{r.test_examples:,} test" + (f", {r.truncated:,} cut" if r.truncated else "")
        for task in comparison.tasks
        if (r := first.get(task)) is not None
    ]
    return "; ".join(parts)


def _settings(comparison: Comparison, group: str) -> str:
    """One group of the resolved experiment."""
    values = comparison.experiment.get(group)
    return _pairs(values) if isinstance(values, Mapping) else ""


def _pairs(values: Mapping[str, Any]) -> str:
    """A mapping as a reader has it: "lr 0.001, rank 8"."""
    return ", ".join(f"{name} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    """A number without the digits that a binary float adds; a sequence with spaces."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _named(name: str, digest: str) -> str:
    """A name with the start of its digest."""
    return f"{name} ({digest[:12]})" if name and digest else name


def _distinct(values: Iterable[str]) -> str:
    """The different values, each once."""
    return listed(list(dict.fromkeys(filter(None, values))))
