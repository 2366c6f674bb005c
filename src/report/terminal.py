"""The final table on standard output: coloured on a terminal, plain text anywhere else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ..analysis import Analysis, Column, TaskAnalysis
from ..analysis.format import listed
from ..analysis.leaders import equal
from ..analysis.rows import Row
from ..analysis.studies import gains_line
from ..text import one_line
from .console import literal, standard, write
from .study import print_study

DROPPED = (
    "trainable_params_with_head",
    "peak_memory_mib",
    "accuracy",
    "train_seconds",
    "retention_change",
)
"""Columns that a terminal does without where it is too narrow, the first one first."""
CLONE = Path(__file__).resolve().parents[2]
"""The project's folder, where this is not an installed package."""

if TYPE_CHECKING:
    from ..analysis.verdict import Standing


def show(analysis: Analysis, out: Path, console: Console | None = None) -> None:
    """Print what was measured and where to look next.

    Args:
        analysis: What is shown of the comparison.
        out: The folder that holds the report.
        console: Where to print; standard output by default.
    """
    console = console if console is not None else standard()
    with console.capture() as captured:
        if analysis.searched_only:
            for study in analysis.studies:
                print_study(study, console)
            console.print()
        else:
            for task in analysis.tasks:
                _task(console, task, only_task=len(analysis.tasks) == 1)
        if not analysis.searched_only and len(analysis.tasks) > 1:
            console.print(_overview(analysis))
        _closing(console, analysis, out)
    lines = (line.rstrip() for line in captured.get().splitlines())
    write(console, "\n".join(lines) + "\n")


def _task(console: Console, task: TaskAnalysis, *, only_task: bool) -> None:
    """One task's table, its margin, and the cells that did not complete.

    What the pairs show stands here where there are further tasks, else in the answer below.
    """
    shown, left_out = _fitting(task, console)
    console.print(shown)
    if left_out:
        console.print(literal(f"No room here for: {', '.join(left_out)}. The report has it all."))
    for row in task.rows:
        for gone in row.failures:
            ended = f"{gone.method}, {gone.where}: {gone.status}. {gone.reason}"
            console.print(literal(ended))
        for remark in row.remarks:
            console.print(literal(f"{row.name}: {remark}"))
    if task.margin_line:
        console.print(literal(task.margin_line))
    if gained := gains_line(task.studies):
        console.print(literal(gained))
    if task.conclusion is not None and not only_task:
        console.print(literal(task.conclusion.sentences))
    console.print()


def _fitting(task: TaskAnalysis, console: Console) -> tuple[Table, list[str]]:
    """The table as it fits the console, and the headings of columns that had to be left out.

    A number that lost its end would be another number: rather a column goes.
    """
    columns, left_out = list(task.columns("terminal")), list[str]()
    shown, narrow = _table(task, columns), False
    wide = console.options.update(max_width=10_000)
    droppable = [name for name in DROPPED if any(column.name == name for column in columns)]
    while Measurement.get(console, wide, shown).maximum > console.width:
        if narrow and not droppable:
            break
        if narrow:
            gone = next(one for one in columns if one.name == droppable[0])
            columns.remove(gone)
            left_out.append(task.heading(gone))
            del droppable[0]
        narrow = True
        shown = _table(task, columns, narrow=True)
    return shown, left_out


def _empty() -> Table:
    """A table without lines between its columns, as narrow as it can be."""
    return Table(
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def _table(task: TaskAnalysis, columns: Sequence[Column], narrow: bool = False) -> Table:
    """The rows of a task under a title that names its metric and its data.

    Args:
        task: What is shown of the task.
        columns: The columns beside the method's name.
        narrow: Write each heading one word below the other.
    """
    source = one_line(task.source)
    shown = _empty()
    shown.title = Text.assemble(
        (one_line(task.task), "bold"), f"  {task.metric}  ", (source, "italic")
    )
    shown.add_column("method", no_wrap=True)
    for column in columns:
        # The metric stands in the title, since its name may be too long for a column.
        named = column.name == "score" and task.metric != "accuracy"
        heading = column.title if named else task.heading(column)
        words = [literal(word) for word in (heading.split() if narrow else [heading])]
        shown.add_column(Text("\n").join(words), justify="right", no_wrap=True)
    for row in task.rows:
        style = "bold" if task.is_best(row) else "" if row.trained else "dim"
        shown.add_row(literal(row.name), *_numbers(row, columns), style=style)
    return shown


def _numbers(row: Row, columns: Sequence[Column]) -> list[str]:
    """A row's numbers as text, in the order of the columns."""
    costs = [column.name for column in columns if not column.quality]
    texts = []
    for column in columns:
        mean = row.values.get(column.name)
        if column.text:
            texts.append(row.texts.get(column.name, ""))
        elif mean is not None:
            texts.append(column.shown(mean.value, mean.spread, "terminal", mean.interval))
        elif column.quality:
            texts.append(_ended(row))
        elif not row.trained:
            texts.append("no training" if column.name == costs[0] else "")
        else:
            texts.append(row.absent(column.name))
    return texts


def _ended(row: Row) -> str:
    """What stands in place of a score: how the row's cells ended."""
    return "/".join(dict.fromkeys(gone.status for gone in row.failures)) or "-"


def _overview(analysis: Analysis) -> Table:
    """Methods against tasks: every score side by side, and their mean."""
    shown = _empty()
    shown.title = Text.assemble(("All tasks", "bold"), "  each task's own score")
    shown.add_column("method", no_wrap=True)
    for task in analysis.tasks:
        shown.add_column(literal(task.task), justify="right", overflow="fold")
    shown.add_column("mean", justify="right")
    ranks = {} if analysis.across is None else {o.method: o for o in analysis.across.standings}
    if ranks:
        shown.add_column("mean rank", justify="right")
    means = [each.mean for each in analysis.overview if each.mean is not None]
    top = max(means, default=None) if analysis.ranked else None
    for each in analysis.overview:
        scores = [
            f"{row.score.value:.3f}" if row.score is not None else _ended(row) for row in each.rows
        ]
        best = each.mean is not None and top is not None and equal(each.mean, top)
        last = "-" if each.mean is None else f"{each.mean:.3f}"
        rank = [_rank(ranks.get(each.method))] if ranks else []
        shown.add_row(literal(each.method), *scores, last, *rank, style="bold" if best else "")
    return shown


def _rank(one: Standing | None) -> str:
    """A method's mean rank over the tasks, with its interval where that is known."""
    if one is None:
        return "-"
    if one.rank_low is None or one.rank_high is None:
        return f"{one.rank:.1f}"
    return f"{one.rank:.1f} ({one.rank_low:.1f} to {one.rank_high:.1f})"


def ui_command(out: Path) -> str:
    """What opens MLflow's pages: `make ui` in a clone of the project, else the program itself."""
    by_make = Path.cwd() == CLONE and (CLONE / "Makefile").is_file()
    usual, named = (
        ("make ui", "make ui OUT=") if by_make else ("tunebench ui", "tunebench ui --out ")
    )
    return usual if out == Path("runs") else f"{named}{shlex.quote(str(out))}"


def _closing(console: Console, analysis: Analysis, out: Path) -> None:
    """The answer, what it rests on, and where to read on."""
    if not analysis.searched_only:
        console.print(literal(analysis.answer), style="bold")
        console.print()
    left_out = analysis.comparison.left_out
    facts = [("Data", f"{name} ({listed(tasks)})") for name, tasks in analysis.sources.items()]
    facts += [
        *(("Without", f"{name}: {why}") for name, why in left_out.items()),
        ("Budget", analysis.budget),
        *([] if analysis.searched_only else [("Cells", analysis.tally_line)]),
        ("Report", f"{out / 'report.html'} (report.md and results.csv beside it)"),
        ("MLflow", ui_command(out)),
    ]
    for name, value in facts:
        console.print(Text(f"{name:<8}") + literal(value), soft_wrap=True)
