"""What is known of runs only when a comparison ends: tie groups, and which run was taken.

These stand beside what the plan says of a run, so that a study that gains or loses its first place
is not written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..analysis import Analysis
from ..analysis.winners import Winner, winners
from ..text import redact
from .differ import GROUP, WINNER
from .studies import studies

NOTE = "mlflow.note.content"
"""The tag that MLflow's pages show as a run's description."""
MARKS = (GROUP, WINNER, NOTE)

Marks = dict[str, dict[str, str]]
"""Run's key → tag → its text, empty where there should be none."""


def marks(analysis: Analysis, models: Mapping[str, str], address: str) -> Marks:
    """The tags of studies and cells that follow from all of a comparison.

    Args:
        analysis: The comparison.
        models: Task → the id of its Logged Model.
        address: The store as people may see it.
    """
    comparison = analysis.comparison
    wanted: Marks = {}
    for row in comparison.results:
        for identity in (row.study, row.cell):
            wanted[f"{comparison.id}/{identity}"] = {WINNER: "", NOTE: ""}
    for key, letters in groups(analysis).items():
        wanted.setdefault(key, {})[GROUP] = letters
    for winner in winners(analysis):
        text = redact("\n".join(_lines(winner, models.get(winner.task, ""), address)))
        row = winner.cell.result
        for identity in (row.study, row.cell):
            wanted[f"{comparison.id}/{identity}"] |= {WINNER: winner.task, NOTE: text}
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


def changes(wanted: Mapping[str, str], held: Mapping[str, str]) -> dict[str, str]:
    """The tags of a run that must be set, or taken away where the text is empty.

    A description that somebody else wrote stays: ours is known by the tag beside it.
    """
    foreign = bool(held.get(NOTE)) and not held.get(WINNER)
    return {
        tag: text
        for tag, text in wanted.items()
        if held.get(tag, "") != text and not (tag == NOTE and foreign)
    }


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


def _lines(winner: Winner, model: str, address: str) -> Iterator[str]:
    """The description of a winner's study and cell, in Markdown."""
    cell = winner.cell.result.cell
    yield f"**Best of {winner.task}**: {winner.sentence}"
    yield ""
    yield f'Answers texts: `tunebench predict {cell} "a text"`; the adapter is an artifact of the'
    yield f"run {winner.cell.result.task} {winner.cell.result.method} seed "
    yield f"{winner.cell.result.seed}."
    if model:
        yield ""
        yield "As a model:"
        yield ""
        yield from (f"    {line}" for line in loading(f"models:/{model}", address))
