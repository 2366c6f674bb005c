"""What a reader needs to judge or repeat a comparison: settings, versions, device, choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..records import Comparison, Result
from ..text import plural
from .cells import Cell
from .column import Column
from .columns import in_view
from .format import listed
from .studies import settings_line

Chosen = tuple[str, str, str]
"""A method, its best trial, and that trial's hyperparameters."""


def reading(columns: Iterable[Column]) -> tuple[tuple[str, str], ...]:
    """What the columns of the tables mean, from left to right, and what a reference row is."""
    columns = tuple(columns)
    on_page = (*in_view(columns, "page"), *in_view(columns, "page_training"))
    explained = [(c.title, c.description) for c in on_page if c.description]
    return (*explained, ("no training", "Reference rows: what can be had without fine-tuning."))


def facts(comparison: Comparison, cells: Sequence[Cell]) -> tuple[tuple[str, str], ...]:
    """Named facts in reading order; those that nothing is known of are left out."""
    done = [cell.result for cell in cells if cell.result.status == "complete"]
    origins = [trial.origin for trial in comparison.trials]
    named = [
        ("Backbone", _distinct(_named(r.backbone, r.backbone_digest) for r in done)),
        ("Left out", "; ".join(f"{name}: {why}" for name, why in comparison.left_out.items())),
        ("Device", _distinct(r.device for r in done) or _distinct(map(device_of, origins))),
        ("Examples", _examples(comparison, cells)),
        ("Plain text", _distinct(map(_plain_text, cells))),
        ("Training", _settings(comparison, "train")),
        ("Search", _settings(comparison, "search")),
        ("Versions", _distinct(settings_line(r.versions) for r in done)),
        ("Created", comparison.created),
        ("Comparison", comparison.id),
    ]
    return tuple((name, value) for name, value in named if value)


def device_of(origin: Mapping[str, str]) -> str:
    """The class of the device that made a record; empty where the record does not say."""
    return origin.get("device", "")


def chosen(cells: Sequence[Cell], task: str) -> tuple[Chosen, ...]:
    """Each method's best trial on a task, and its hyperparameters; all its seeds share them.

    In a cross-validation each fold has its own search, and several searches have a winner each.
    """
    first: dict[tuple[str, str], Result] = {}
    for cell in cells:
        if cell.task == task and cell.result.hyperparameters:
            fold = "" if cell.fold is None else f"fold {cell.fold.number}: "
            search = f"search {cell.search + 1}: " if cell.searches > 1 else ""
            first.setdefault((cell.result.method, fold + search), cell.result)
    methods = list(dict.fromkeys(method for method, _ in first))
    return tuple(
        (method, fold + _trial(r.best_trial), settings_line(r.hyperparameters))
        for (method, fold), r in sorted(first.items(), key=lambda one: methods.index(one[0][0]))
    )


def _trial(number: int | None) -> str:
    """The winning trial; trial 0 is the method's defaults."""
    return "" if number is None else "defaults" if number == 0 else str(number)


def _examples(comparison: Comparison, cells: Sequence[Cell]) -> str:
    """How many rows each task trained, chose and was tested on, and how many texts were cut."""
    done = [cell for cell in cells if cell.result.status == "complete"]
    first = {cell.task: cell for cell in reversed(done)}
    parts = [
        f"{task} {r.train_examples:,} train and {r.validation_examples:,} validation (the winner "
        f"trains on both), "
        f"{r.test_examples:,} test"
        + (f", {r.truncated:,} cut" if r.truncated else "")
        + (f" in fold {cell.fold.number} of {cell.fold.count}" if cell.fold else "")
        for task in comparison.tasks
        if (cell := first.get(task)) is not None and (r := cell.result)
    ]
    return "; ".join(parts)


def _plain_text(cell: Cell) -> str:
    """Which texts a cell's forgetting was measured on."""
    known = cell.forgetting
    return "" if known is None else f"{known.source}, {plural(known.texts, 'text')}"


def _settings(comparison: Comparison, group: str) -> str:
    """One group of the resolved experiment."""
    values = comparison.experiment.get(group)
    return settings_line(values) if isinstance(values, Mapping) else ""


def _named(name: str, digest: str) -> str:
    """A name with the start of its digest."""
    return f"{name} ({digest[:12]})" if name and digest else name


def _distinct(values: Iterable[str]) -> str:
    """The different values, each once."""
    return listed(list(dict.fromkeys(filter(None, values))))
