"""Published GLUE figures with the protocol that each was made by: the ledger in `ledger.json`.

A figure without its protocol misleads. LoRA's 86.6 on RTE started from a model trained on MNLI, is
the median over five seeds of each run's best epoch, and that epoch was chosen on the split that is
reported. So every figure says what its source states of that, and nothing that it does not. The
file holds the rows of the papers' tables as they are printed, in percent.

A figure is set beside one of ours only where backbone, task and method are the same, and the data
are GLUE's official files.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from ..errors import UnknownName, UserError
from .cells import Cell
from .format import short
from .rows import Mean, mean

Read = Literal["verified", "copied", "recalled"]
"""How a figure came into the ledger: read in the source itself, read in a copy of it, or recalled
and not read again. A recalled figure is to be checked before anything rests on it."""
OFFICIAL_DATA = "GLUE (official split)"
"""The data source of rows that are GLUE's own; `data/glue.py` calls them so."""
METRICS: Mapping[str, str] = {"cola": "mcc", "stsb": "pearson"}
"""The metric of a task's figures where a row names no other; accuracy for the remaining tasks."""


@dataclass(frozen=True)
class Source:
    """Where figures were published."""

    name: str
    authors: str
    title: str
    where: str
    """An arXiv number, a journal's or a repository's address."""
    table: str
    """The number of the table; empty where it is not known."""
    note: str
    """What holds for all of its figures."""

    @property
    def reference(self) -> str:
        """The source on one line, its table last."""
        return ", ".join(filter(None, (f"{self.authors}: {self.title}", self.where, self.table)))


@dataclass(frozen=True)
class Figure:
    """One published score. What its source does not state is none, or an empty text."""

    task: str
    model: str
    """The backbone as its authors call it, in lower case."""
    method: str
    """The name that the method has here; of one that is not here, its authors' short name."""
    variant: str
    """What sets this row apart from others of the method, such as "Houlsby"."""
    metric: str
    """Named as ours are; "accuracy or f1" where it is not clear which."""
    score: float
    """0..1, or -1..1; the sources print percent."""
    spread: float | None
    """What the source prints after ±, on the scale of the score."""
    trainable_params: int | None
    """Weights that the method trains, head not counted, rounded as in the source."""
    trainable_share: float | None
    """The same as a share of the model's weights, where the source gives that."""
    split: str
    """The rows that it was scored on: "dev", or "test" for GLUE's test server."""
    seeds: int | None
    summary: str
    """What was made of several runs: "median" or "best"."""
    tuned_on_split: bool | None
    """Whether settings, epoch or seed were chosen on the split that is reported."""
    start: str
    """"pretrained", or the task that the model was trained on before: "mnli"."""
    copied_from: str
    """The paper that the source took the figure from."""
    read: Read
    source: Source

    @property
    def trained(self) -> str:
        """How much the method trains, as a table has it: "300 k", "3.6 %"; empty where unknown."""
        if self.trainable_params is not None:
            return short(self.trainable_params)
        share = self.trainable_share
        return "" if share is None else f"{100 * share:.4g} %"

    @property
    def protocol(self) -> str:
        """What the source states of how the figure was made, in one line."""
        return "; ".join(_protocol(self))

    def as_json(self) -> dict[str, Any]:
        """Every field by name, the source among them."""
        source = {"authors": self.source.authors, "title": self.source.title}
        source |= {"where": self.source.where, "table": self.source.table}
        source |= {"note": self.source.note}
        return {**{k: v for k, v in vars(self).items() if k != "source"}, "source": source}


@dataclass(frozen=True)
class Comparable:
    """A published figure, and what the comparison at hand measured of the same."""

    figure: Figure
    ours: Mean | None
    """The same metric over our seeds; none where the source leaves open which metric it has."""
    trained: float | None
    """Weights that our method trained, head not counted: a mean over the seeds."""


@functools.cache
def figures() -> tuple[Figure, ...]:
    """Every figure, in the order of the sources and of their tables."""
    raw = _raw()
    sources = {name: Source(name, **source) for name, source in raw["sources"].items()}
    return tuple(figure for row in raw["rows"] for figure in _of_row(row, sources[row["source"]]))


def select(tasks: Sequence[str] = (), methods: Sequence[str] = ()) -> tuple[Figure, ...]:
    """The figures of some tasks and methods; of all where none is named.

    Raises:
        UnknownName: The ledger has no figure of such a task or method.
        UserError: It has figures of both, but none of both together.
    """
    known = figures()
    for kind, names, field in (("task", tasks, "task"), ("method", methods, "method")):
        there = dict.fromkeys(getattr(figure, field) for figure in known)
        for name in names:
            if name not in there:
                raise UnknownName(f"{kind} of the ledger", name, there)
    of_tasks = tuple(figure for figure in known if not tasks or figure.task in tasks)
    selected = tuple(figure for figure in of_tasks if not methods or figure.method in methods)
    if not selected:
        there = dict.fromkeys(figure.method for figure in of_tasks)
        raise UserError(
            f"the ledger has no figure of {', '.join(methods)} on {', '.join(tasks)} "
            f"(known there: {', '.join(sorted(there))})"
        )
    return selected


def comparable(cells: Sequence[Cell], task: str) -> tuple[Comparable, ...]:
    """The published figures of the methods, the backbone and the task of some complete cells."""
    done: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        result = cell.result
        official = result.data_source == OFFICIAL_DATA
        if result.task == task and result.status == "complete" and official:
            done.setdefault((result.backbone, result.method), []).append(cell)
    names: Mapping[str, Sequence[str]] = _raw()["models"]
    return tuple(
        _beside(figure, same)
        for (backbone, method), same in done.items()
        for figure in figures()
        if (figure.task, figure.method) == (task, method) and backbone in names[figure.model]
    )


def _beside(figure: Figure, cells: Sequence[Cell]) -> Comparable:
    """A figure with what some cells, one a seed, measured of the same."""
    results = [cell.result for cell in cells]
    trained = mean(result.trainable_params for result in results)
    return Comparable(
        figure=figure,
        ours=mean(result.metrics.get(figure.metric) for result in results),
        trained=None if trained is None else trained.value,
    )


@functools.cache
def _raw() -> dict[str, Any]:
    """The file as it stands."""
    text = (resources.files(__package__) / "ledger.json").read_text("utf-8")
    raw: dict[str, Any] = json.loads(text)
    return raw


def _of_row(row: Mapping[str, Any], source: Source) -> Iterator[Figure]:
    """The figures of one row of a published table."""
    metrics: Mapping[str, str] = {**METRICS, **row.get("metrics", {})}
    entries = [(task, metrics.get(task, "accuracy"), one) for task, one in row["percent"].items()]
    if "mismatched" in row:
        entries.append(("mnli", "mismatched/accuracy", row["mismatched"]))
    for task, metric, entry in entries:
        score, spread = entry if isinstance(entry, list) else (entry, None)
        start = row.get("start", "")
        yield Figure(
            task=task,
            model=row["model"],
            method=row["method"],
            variant=row.get("variant", ""),
            metric=metric,
            score=_fraction(score),
            spread=None if spread is None else _fraction(spread),
            trainable_params=row.get("trainable_params"),
            trainable_share=row.get("trainable_share"),
            split=row.get("split", ""),
            seeds=row.get("seeds"),
            summary=row.get("summary", ""),
            tuned_on_split=row.get("tuned_on_split"),
            start=start if isinstance(start, str) else start.get(task, "pretrained"),
            copied_from=row.get("copied_from", ""),
            read=row["read"],
            source=source,
        )


def _fraction(percent: float) -> float:
    """A printed percentage with the digits that it has: 86.6 is 0.866."""
    return round(percent / 100, 6)


def _protocol(figure: Figure) -> Iterator[str]:
    """The parts of a protocol that the source states."""
    if figure.variant:
        yield figure.variant
    if figure.split:
        yield "test server" if figure.split == "test" else figure.split
    if figure.summary:
        yield figure.summary + (f" of {figure.seeds} seeds" if figure.seeds else " seed")
    if figure.tuned_on_split:
        yield f"chosen on {figure.split}"
    if figure.start and figure.start != "pretrained":
        yield f"from weights trained on {figure.start}"
    if figure.copied_from:
        yield f"copied from {figure.copied_from}"
