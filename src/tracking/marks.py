"""What is known of runs only when a comparison ends: intervals, tie groups, which run was taken.

These stand beside what the plan says of a run, so that a study that gains or loses its first place
is not written again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..analysis import Analysis
from ..analysis.columns import INTERVAL
from ..analysis.winners import Winner, winners
from ..text import redact
from .differ import GROUP, WINNER
from .studies import studies

if TYPE_CHECKING:
    from mlflow.entities import Run

NOTE = "mlflow.note.content"
"""The tag that MLflow's pages show as a run's description."""
TAGS = (GROUP, WINNER, NOTE)


@dataclass(frozen=True)
class Mark:
    """Tags and metrics of one run."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """Tag → its text, empty where there should be none."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Metric → its value; not a number where it should say nothing, since MLflow keeps it."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.tags or self.metrics)

    def __or__(self, other: Mark) -> Mark:
        """Both, the other's where both have one."""
        return Mark({**self.tags, **other.tags}, {**self.metrics, **other.metrics})


def marks(
    analysis: Analysis, models: Mapping[str, str], pages: Mapping[str, str], address: str
) -> dict[str, Mark]:
    """What follows for studies and cells from all of a comparison, by run's key.

    Args:
        analysis: The comparison.
        models: Task → the id of its Logged Model.
        pages: Cell → where MLflow's pages show its files.
        address: The store as people may see it.
    """
    comparison = analysis.comparison
    wanted: dict[str, Mark] = {}
    for row in comparison.results:
        for identity in (row.study, row.cell):
            wanted[f"{comparison.id}/{identity}"] = Mark({WINNER: "", NOTE: ""})
    for key, letters in groups(analysis).items():
        wanted[key] = wanted.get(key, Mark()) | Mark({GROUP: letters})
    for key, ends in intervals(analysis).items():
        wanted[key] |= Mark(metrics=ends)
    for winner in winners(analysis):
        row = winner.cell.result
        lines = _lines(winner, models.get(winner.task, ""), pages.get(row.cell, ""), address)
        text = redact("\n".join(lines))
        for identity in (row.study, row.cell):
            wanted[f"{comparison.id}/{identity}"] |= Mark({WINNER: winner.task, NOTE: text})
    return wanted


def groups(analysis: Analysis) -> dict[str, str]:
    """Study's key → its method's tie groups, empty where it has none; of judged tasks only."""
    judged = {task.task: task.judged for task in analysis.tasks if task.judged is not None}
    return {
        f"{analysis.comparison.id}/{study.study}": judged[study.task].verdict.letters.get(
            study.method, ""
        )
        for study in studies(analysis.comparison).values()
        if study.task in judged
    }


def intervals(analysis: Analysis) -> dict[str, dict[str, float]]:
    """Study's key → the ends of its score's interval; of tasks whose answers were read only.

    A study of one fold, or of one of several searches, has a mean of its own, which is not the one
    that the interval is of.
    """
    read = {task.task for task in analysis.tasks if task.judged is not None}
    ends: dict[str, dict[str, float]] = {}
    for cell in analysis.cells:
        if cell.task in read and cell.result.status == "complete":
            whole = cell.interval is not None and cell.fold is None and cell.searches == 1
            pair = cell.interval if whole and cell.interval else (math.nan, math.nan)
            key = f"{analysis.comparison.id}/{cell.result.study}"
            ends[key] = dict(zip(INTERVAL, pair, strict=True))
    return ends


def held_by(run: Run) -> Mark:
    """What a run has of all this."""
    tags, metrics = run.data.tags, run.data.metrics
    return Mark(
        {tag: tags[tag] for tag in TAGS if tag in tags},
        {name: metrics[name] for name in INTERVAL if name in metrics},
    )


def missing_of(wanted: Mark, held: Mark) -> Mark:
    """What must be set; a tag whose text is empty is to be taken away.

    A description that somebody else wrote stays: ours is known by the tag beside it.
    """
    foreign = bool(held.tags.get(NOTE)) and not held.tags.get(WINNER)
    tags = {
        tag: text
        for tag, text in wanted.tags.items()
        if held.tags.get(tag, "") != text and not (tag == NOTE and foreign)
    }
    nothing = math.nan
    metrics = {
        name: value
        for name, value in wanted.metrics.items()
        if not _is_same(held.metrics.get(name, nothing), value)
    }
    return Mark(tags, metrics)


def _is_same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def loading(model: str, address: str) -> tuple[str, ...]:
    """The lines of Python that load a model.

    Args:
        model: Its address, such as models:/sentiment@champion.
        address: The store as people may see it.
    """
    return (
        "import mlflow",
        f'mlflow.set_tracking_uri("{address}")',
        f'model = mlflow.pyfunc.load_model("{model}")',
    )


def _lines(winner: Winner, model: str, page: str, address: str) -> Iterator[str]:
    """The description of a winner's study and cell, in Markdown."""
    row = winner.cell.result
    run = f"{row.task} {row.method} seed {row.seed}"
    yield f"**Best of {winner.task}**: {winner.sentence}"
    yield ""
    yield f'Answers texts: `tunebench predict {row.cell} "a text"`; the adapter is an artifact of'
    yield f"the run {f'[{run}]({page})' if page else run}."
    if model:
        yield ""
        yield "As a model:"
        yield ""
        yield from (f"    {line}" for line in loading(f"models:/{model}", address))
