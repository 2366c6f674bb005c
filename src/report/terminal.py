"""The final table on standard output: coloured on a terminal, plain text anywhere else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..analysis import words
from ..analysis.answer import answer, budget_words, sources
from ..analysis.leads import averages, lead, margin_line
from ..analysis.rows import Mean, Row, rows, tally_line
from ..records import Comparison
from .console import literal, standard, write

REST = ("with head", "latency ms", "train s", "peak MiB")


def show(comparison: Comparison, out: Path, console: Console | None = None) -> None:
    """Print what was found and where to look next.

    Args:
        comparison: What was planned and what is there of it.
        out: The folder that holds the report.
        console: Where to print; standard output by default.
    """
    console = console if console is not None else standard()
    with console.capture() as captured:
        for task in comparison.tasks:
            _task(console, comparison, task)
        if len(comparison.tasks) > 1:
            console.print(_overview(comparison))
        _closing(console, comparison, out)
    lines = (line.rstrip() for line in captured.get().splitlines())
    write(console, "\n".join(lines) + "\n")


def _task(console: Console, comparison: Comparison, task: str) -> None:
    """One task's table, its margin and the cells that did not complete."""
    table = rows(comparison, task)
    console.print(_table(comparison, task, table))
    for row in table:
        for gone in row.failures:
            seeds = ", ".join(map(str, gone.seeds))
            console.print(literal(f"{gone.method}, seed {seeds}: {gone.status}. {gone.reason}"))
    if line := margin_line(table):
        console.print(literal(line))
    console.print()


def _table(comparison: Comparison, task: str, table: Sequence[Row]) -> Table:
    """The rows of a task under a title that names its data."""
    metric = table[0].metric if table else ""
    accuracy = metric != "accuracy" and any(row.accuracy is not None for row in table)
    source = words.one_line(comparison.sources.get(task, "unknown data"))
    shown = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1))
    shown.title = Text.assemble((words.one_line(task), "bold"), f"  {metric}  ", (source, "italic"))
    shown.title_style = ""
    shown.add_column("method", no_wrap=True)
    first = "accuracy" if metric == "accuracy" else "score"
    for name in (first, *(["accuracy"] if accuracy else []), "trained", *REST):
        shown.add_column(name, justify="right", no_wrap=True)
    ahead = lead(table)
    for row in table:
        best = ahead is not None and row is ahead.row
        style = "bold" if best else "" if row.trained else "dim"
        shown.add_row(literal(row.name), *_cells(row, accuracy), style=style)
    return shown


def _cells(row: Row, accuracy: bool) -> list[str]:
    """A row's numbers as text, in the order of the columns."""
    scores = [
        _score(row.score, row),
        *([_score(row.accuracy, row)] if accuracy else []),
    ]
    if not row.trained:
        return [*scores, "no training", *[""] * len(REST)]
    if not row.complete:
        return [*scores, *[""] * (1 + len(REST))]
    ratio = f" ({words.ratio(row.latency_ratio)})" if row.latency_ratio is not None else ""
    return [
        *scores,
        words.short(row.trainable_params),
        words.short(row.trainable_params_with_head),
        words.significant(row.latency_ms) + ratio,
        words.significant(row.train_seconds),
        words.thousands(row.peak_memory_mib),
    ]


def _score(mean: Mean | None, row: Row) -> str:
    """A score, or how the row ended where it has none."""
    if mean is not None:
        return words.score(mean.value, mean.spread)
    return "/".join(dict.fromkeys(gone.status for gone in row.failures)) or "-"


def _overview(comparison: Comparison) -> Table:
    """Methods against tasks: every score side by side, and their mean."""
    shown = Table(box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=(0, 1))
    shown.title = Text.assemble(("All tasks", "bold"), "  each task's own score")
    shown.title_style = ""
    shown.add_column("method", no_wrap=True)
    for task in comparison.tasks:
        shown.add_column(literal(task), justify="right", overflow="fold")
    shown.add_column("mean", justify="right")
    means = averages(comparison)
    top = max((mean for _, _, mean in means if mean is not None), default=None)
    for method, own, mean in means:
        scores = [
            f"{row.score.value:.3f}" if row.score is not None else _score(None, row) for row in own
        ]
        last = "-" if mean is None else f"{mean:.3f}"
        style = "bold" if mean is not None and mean == top else ""
        shown.add_row(literal(method), *scores, last, style=style)
    return shown


def _closing(console: Console, comparison: Comparison, out: Path) -> None:
    """The answer, what it rests on, and where to read on."""
    console.print(literal(answer(comparison)), style="bold")
    console.print()
    facts = [("Data", f"{name} ({words.listed(own)})") for name, own in sources(comparison).items()]
    facts += [
        *(("Without", f"{name}: {why}") for name, why in comparison.left_out.items()),
        ("Budget", budget_words(comparison)),
        ("Cells", tally_line(comparison)),
        ("Report", f"{out / 'report.html'} (report.md and results.csv beside it)"),
        ("MLflow", "make ui" if out == Path("runs") else f"make ui OUT={shlex.quote(str(out))}"),
    ]
    for name, value in facts:
        console.print(Text(f"{name:<8}") + literal(value), soft_wrap=True)
