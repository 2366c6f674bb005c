"""A column is one entry of one table, and every view follows it."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from tunebench.analysis import Column, analyse, columns, register
from tunebench.analysis.column import TABLES, View
from tunebench.analysis.columns import in_view
from tunebench.analysis.format import score, significant
from tunebench.records import Comparison, Latency
from tunebench.report import write
from tunebench.report.console import plain, written
from tunebench.report.terminal import show
from tunebench.tracking import Tracker

from tests.records import comparison, result

CSV_COLUMNS = """
    task method seed status metric score accuracy trainable_params trainable_params_with_head
    stored_params latency_ms train_seconds peak_memory_mib data_source backbone mlflow_run_id
    reason metrics validation_score hyperparameters best_trial latency_p95_ms latency_ratio
    latency_tokens latency_batch32_ms train_examples validation_examples test_examples truncated
    data_digest backbone_digest device finished adapter predictions cell template
    latency_measured_ms trials_failed micro_batch origin fold ece group on_front
    score_ci95_low score_ci95_high latency_ratio_ci95_low latency_ratio_ci95_high
    tokens_per_second padding_share seconds_to_target
    steps_to_target target_score energy_j energy_counters retention_change
    retention_change_as_trained retention_ci95_low retention_ci95_high retention_texts
    latency_noise
"""
"""As scripts of users know them: the names stay, and new ones come last."""
TABLE_HEADINGS = {
    "terminal": "score | trained | with head | latency ms | × base | train s | peak MiB",
    "page": "score | f1 | trained | with head | stored | latency ms | × base | train s | peak MiB",
    "markdown": "score | trained | with head | stored | latency ms | × base | train s | peak MiB",
}
"""As readers know them; a further test metric stands beside the score, on the page alone."""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes back what a test registers."""
    monkeypatch.setattr(columns, "COLUMNS", columns.COLUMNS)


def test_the_columns_of_the_file_keep_their_names_and_order() -> None:
    assert [column.name for column in in_view(columns.COLUMNS, "csv")] == CSV_COLUMNS.split()


def with_f1() -> Comparison:
    """A comparison whose cells have a second metric, on which the columns have no entry."""
    records = comparison(("sst2",), ("lora",), (0, 1))
    cells = [replace(r, metrics={**r.metrics, "f1": 0.5}) for r in records.results]
    return replace(records, results=tuple(cells))


@pytest.mark.parametrize("view", TABLE_HEADINGS)
def test_the_tables_have_the_score_first_and_then_what_it_costs(view: View) -> None:
    shown = analyse(with_f1()).tasks[0].columns(view)
    assert " | ".join(column.title for column in shown) == TABLE_HEADINGS[view]


def test_a_task_shows_its_own_metrics_and_none_that_no_row_of_it_has() -> None:
    regression = comparison(("stsb",), ("lora",), (0, 1))
    both = replace(
        regression, tasks=("sst2", "stsb"), results=(*with_f1().results, *regression.results)
    )
    shown = [
        [column.name for column in task.columns("page") if column.quality]
        for task in analyse(both).tasks
    ]
    assert shown == [["score", "f1"], ["score", "pearson"]]


def test_a_column_stands_at_its_place_among_those_that_are_there(table: None) -> None:
    for place in (2, 4):
        register(Column(f"at {place}", lambda cell: 1.0, TABLES, table_place=place))
    shown = [column.name for column in analyse(with_f1()).tasks[0].columns("terminal")]
    assert shown[-5:] == ["latency_ratio", "at 2", "train_seconds", "peak_memory_mib", "at 4"]


def test_a_further_metric_of_the_test_rows_goes_to_mlflow_for_each_cell_and_study() -> None:
    every = analyse(with_f1()).columns
    for view in ("cell_metric", "study_metric"):
        assert "f1" in [column.name for column in in_view(every, view)]
    assert "f1" not in [column.name for column in in_view(every, "csv")]


def test_mlflow_shows_five_columns_unasked() -> None:
    shown = [column.name for column in columns.COLUMNS if column.mlflow_width]
    costs = ["trainable_params", "train_seconds", "validation_score", "latency_ratio"]
    assert shown == ["score", *costs]


def test_every_table_explains_its_columns() -> None:
    analysis = analyse(with_f1())
    explained = {heading for heading, _ in analysis.reading}
    # The metric's own name, and what "trained" says of the head.
    known = {"score", "f1", "with head"}
    for view in TABLES:
        headings = {column.title for column in analysis.tasks[0].columns(view)}
        assert headings - known <= explained
    assert "score" in explained


def test_no_two_columns_share_a_name(table: None) -> None:
    names = [column.name for column in columns.COLUMNS]
    assert len(set(names)) == len(names)
    with pytest.raises(ValueError, match="there is a column 'score' already"):
        register(Column("score", lambda cell: 1.0))


@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
def test_a_column_that_is_added_in_one_place_is_shown_everywhere(
    tmp_path: Path, table: None
) -> None:
    register(
        Column(
            "last_loss",
            lambda cell: cell.result.curve.loss[-1],
            heading="last loss",
            description="Training loss where the curve ends.",
            mlflow_width=90,
        )
    )
    records = comparison(("sst2",), ("lora",), (0, 1))
    losses = [r.curve.loss[-1] for r in records.results]
    mean = sum(losses) / 2
    shown = significant(mean)
    analysis = analyse(records)
    console = plain()
    show(analysis, tmp_path, console)
    results, _, markdown, page = (path.read_text("utf-8") for path in write(analysis, tmp_path, {}))

    lines = [line.split() for line in written(console).splitlines()]
    top, below = next(pair for pair in itertools.pairwise(lines) if "last" in pair[0])
    assert (top[-1], below[-1]) == ("last", "loss")
    line = next(line for line in lines if line[:1] == ["lora"])
    assert line[-1] == shown
    assert "| last loss | status |" in markdown
    assert "- last loss: Training loss where the curve ends." in markdown
    assert f'data-value="{mean!r}"' in page
    assert "last loss</th>" in page
    rows = list(csv.DictReader(io.StringIO(results, newline="")))
    assert [float(row["last_loss"]) for row in rows] == losses

    ids = Tracker(None, tmp_path).sync(analysis, status="finished")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = [client.get_run(ids[r.cell]) for r in records.results]
    assert [run.data.metrics["last_loss"] for run in runs] == losses
    study = client.get_run(runs[0].data.tags["mlflow.parentRunId"])
    assert study.data.metrics["last_loss"] == pytest.approx(mean, abs=1e-12)
    experiment = client.get_experiment(study.info.experiment_id)
    assert "metrics.`last_loss`" in experiment.tags["mlflow.sharedViewState.tunebench"]


def test_a_column_stands_where_its_views_say(table: None) -> None:
    register(Column("only_here", lambda cell: 1.0, frozenset({"markdown"})))
    analysis = analyse(comparison(("sst2",)))
    for view in TABLES:
        names = [column.name for column in analysis.tasks[0].columns(view)]
        assert ("only_here" in names) == (view == "markdown")
    assert "only_here" not in [column.name for column in in_view(analysis.columns, "csv")]


def timed(method: str, base_ms: float, ratio: float) -> Comparison:
    """A comparison of one cell that took `ratio` times `base_ms`."""
    single = Latency(1, 24, base_ms * ratio, 2 * base_ms * ratio, ratio, 50)
    cell = replace(result("sst2", method, 0), latency_ms=single.median_ms, latency=(single,))
    return replace(comparison(("sst2",), (method,), (0,)), results=(cell,))


def test_latencies_of_different_moments_compare_by_their_ratio_to_the_base_model() -> None:
    # The machine was four times slower while lora was timed, and both cost the same.
    slow, fast = timed("lora", 40.0, 1.05), timed("head", 10.0, 1.05)
    records = replace(slow, methods=("lora", "head"), results=(*slow.results, *fast.results))
    analysis = analyse(records)
    lora, head = (cell.latency_ms for cell in analysis.cells)
    assert lora == pytest.approx(40.0 * 1.05)
    assert head == pytest.approx(lora)
    shown = [row.value("latency_ms") for row in analysis.tasks[0].rows if row.trained]
    assert shown == [lora, head]
    assert [cell.result.latency_ms for cell in analysis.cells] == pytest.approx([42.0, 10.5])


def test_further_cells_do_not_change_the_latency_of_the_first() -> None:
    slow, fast = timed("lora", 40.0, 1.05), timed("head", 10.0, 1.2)
    both = replace(slow, methods=("lora", "head"), results=(*slow.results, *fast.results))
    assert analyse(slow).cells[0].latency_ms == analyse(both).cells[0].latency_ms


def test_no_view_shows_a_mean_of_milliseconds_of_different_moments() -> None:
    analysis = analyse(comparison(("sst2",)))
    raw = {"latency_measured_ms", "latency_p95_ms", "latency_ms_batch_32"}
    for view in (*TABLES, "study_metric"):
        assert not raw & {column.name for column in in_view(analysis.columns, view)}


def test_the_terminal_alone_has_a_shorter_form_where_a_column_has_one() -> None:
    wide = Column("one", lambda cell: 1.0, format=lambda value: f"wide {value}")
    both = replace(wide, terminal_format=lambda value: f"short {value}")
    views: tuple[View, ...] = ("terminal", "page", "markdown")
    assert [wide.shown(2.0, 1.0, view) for view in views] == ["wide 2.0"] * 3
    assert [both.shown(2.0, None, view) for view in views] == ["short 2.0", "wide 2.0", "wide 2.0"]
    # The spread stands beside what says how good the answers are, and beside nothing else.
    good = replace(both, quality=True)
    assert [good.shown(0.75, 0.125, view) for view in views] == [score(0.75, 0.125)] * 3
    assert "0.125" in good.shown(0.75, 0.125, "page")
