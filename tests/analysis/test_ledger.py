"""The ledger agrees with what its sources print elsewhere, and compares like with like only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tunebench.analysis import analyse
from tunebench.analysis.ledger import OFFICIAL_DATA, Figure, figures, select
from tunebench.data.glue import OFFICIAL_SOURCE
from tunebench.data.tasks import GLUE
from tunebench.errors import UnknownName, UserError
from tunebench.methods import names
from tunebench.objectives import get_objective
from tunebench.records import Comparison, Result

from tests.records import comparison

PRINTED_AVERAGES: Mapping[str, list[float]] = {
    "lora": [86.4, 85.2, 84.4, 85.4, 87.2, 88.9, 89.0, 88.4, 87.9, 87.8, 86.4, 88.6],
    "delta": [87.4, 86.6, 77.7],
}
"""The last column of two sources' tables, row by row: a second reading of every other figure."""


def rows_of(source: str) -> list[list[Figure]]:
    """The figures of a source by the row of its table that they come from."""
    rows: list[list[Figure]] = []
    for figure in (one for one in figures() if one.source.name == source):
        if not rows or figure.task in {one.task for one in rows[-1]}:
            rows.append([])
        rows[-1].append(figure)
    return rows


@pytest.mark.parametrize("source", PRINTED_AVERAGES)
def test_the_figures_of_a_row_have_the_average_that_the_source_prints(source: str) -> None:
    rows = rows_of(source)
    assert len(rows) == len(PRINTED_AVERAGES[source])
    for row, printed in zip(rows, PRINTED_AVERAGES[source], strict=True):
        assert len(row) == 8
        average = 100 * sum(figure.score for figure in row) / 8
        # The source averages before it rounds, we after: half a digit of either.
        assert average == pytest.approx(printed, abs=0.1)


def test_every_figure_names_a_task_a_metric_and_a_method_that_are_here() -> None:
    for figure in figures():
        task = GLUE[figure.task]
        objective = get_objective(task.objective)
        for metric in figure.metric.removeprefix("mismatched/").split(" or "):
            assert metric in objective.metrics
        assert figure.method in {*names(), "mam"}
        assert 0.4 < figure.score < 1
        assert figure.spread is None or 0 <= figure.spread < 0.05
        assert figure.read in ("verified", "copied", "recalled")
        assert figure.source.where


def test_two_dev_sets_are_two_figures() -> None:
    matched, mismatched = (
        one.score for one in select(["mnli"], ["full"]) if one.source.name == "houlsby"
    )
    assert matched > mismatched


def test_what_a_source_does_not_state_is_not_in_the_protocol() -> None:
    for figure in figures():
        assert ("seed" in figure.protocol) == bool(figure.summary)
        assert ("chosen on" in figure.protocol) == bool(figure.tuned_on_split)
        assert ("test server" in figure.protocol) == (figure.split == "test")
        assert ("from weights" in figure.protocol) == (figure.start not in ("", "pretrained"))
        copied = f"copied from {figure.copied_from}"
        assert (copied in figure.protocol) == bool(figure.copied_from)
    started = [one for one in figures() if "trained on mnli" in one.protocol]
    assert {one.task for one in started} == {"mrpc", "rte", "stsb"}


def test_unknown_names_are_answered_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"unknown task of the ledger 'wnli'.*known: cola, mnli"):
        select(["wnli"])
    with pytest.raises(UnknownName, match="did you mean 'lora'"):
        select(["rte"], ["lroa"])
    with pytest.raises(UserError, match=r"no figure of mam on rte \(known there: adapter, bitfit"):
        select(["rte"], ["mam"])


def test_nothing_named_is_everything() -> None:
    assert select() == figures()
    assert {one.task for one in select(["rte", "cola"])} == {"rte", "cola"}
    assert {one.method for one in select((), ["prompt", "lora"])} == {"prompt", "lora"}


def run_of(
    task: str = "mrpc", backbone: str = "FacebookAI/roberta-large", source: str = OFFICIAL_DATA
) -> Comparison:
    """Two methods and two seeds on a backbone, with accuracy and F1 of their own."""

    def measured(row: Result) -> Result:
        metrics = {"accuracy": 0.5 + 0.1 * row.seed, "f1": 0.7 + 0.1 * row.seed}
        return replace(row, backbone=backbone, data_source=source, metrics=metrics)

    records = comparison((task,), ("lora", "head"))
    return replace(records, results=tuple(map(measured, records.results)))


def test_the_official_data_are_called_as_the_reader_of_glue_calls_them() -> None:
    assert OFFICIAL_DATA == OFFICIAL_SOURCE


def test_the_same_backbone_task_and_method_stand_beside_each_other() -> None:
    (task,) = analyse(run_of()).tasks
    assert task.published
    for one in task.published:
        figure = one.figure
        assert (figure.model, figure.task, figure.method) == ("roberta-large", "mrpc", "lora")
        assert one.ours is not None
        assert one.ours.value == pytest.approx({"accuracy": 0.55, "f1": 0.75}[figure.metric])
        assert one.ours.spread is not None
        assert one.trained == run_of().results[0].trainable_params
    wanted = [one for one in select(["mrpc"], ["lora"]) if one.model == "roberta-large"]
    assert [one.figure for one in task.published] == wanted


@pytest.mark.parametrize(
    "records",
    [
        run_of(backbone="FacebookAI/roberta-large:8"),
        run_of(backbone="roberta-larger"),
        run_of(backbone="bert-large"),
        run_of(source="GLUE format, 12 rows, not the official split"),
        run_of(task="paraphrase"),
        replace(run_of(), results=run_of().results[2:]),
    ],
)
def test_another_backbone_task_source_or_method_has_none(records: Comparison) -> None:
    assert analyse(records).tasks[0].published == ()


def test_a_metric_that_is_not_certain_has_nothing_of_ours_beside_it() -> None:
    records = run_of(backbone="roberta-base")
    rows = tuple(replace(row, method="bitfit") for row in records.results if row.method == "lora")
    records = replace(records, methods=("bitfit",), results=rows)
    (one,) = analyse(records).tasks[0].published
    assert one.figure.metric == "accuracy or f1"
    assert one.ours is None


def test_a_seed_that_failed_does_not_count() -> None:
    records = run_of()
    rows = tuple(replace(row, status="error") if row.seed else row for row in records.results)
    published = analyse(replace(records, results=rows)).tasks[0].published
    accuracies = [one.ours for one in published if one.figure.metric == "accuracy"]
    assert all(mean and (mean.value, mean.spread) == (0.5, None) for mean in accuracies)
    assert accuracies
