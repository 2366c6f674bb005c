"""Where methods disagree: counts for each pair, examples by name; the terminal alone has texts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from ..analysis import Analysis, TaskAnalysis
from ..analysis.disagreements import Disagreements, Example
from ..text import plural
from .console import literal, standard, write
from .markup import Markup, element
from .tables import frame, number, swatch, text

TITLE = "Where the methods disagree"
HEADER = ("example", "label", "who", "wrong answer")
COUNTED = (
    "Counted are test examples that the row's method answers right and the column's wrong, each "
    "with every seed."
)


def count_header(where: Disagreements) -> list[str]:
    """What stands above the counts."""
    return ["right \\ wrong", *where.methods]


def count_texts(where: Disagreements, method: str) -> list[str]:
    """A method's line of the counts."""
    counts = (where.counts.get((method, other)) for other in where.methods)
    return [method, *("-" if count is None else f"{count:,}" for count in counts)]


def example_texts(example: Example) -> tuple[str, ...]:
    """An example's line under `HEADER`."""
    side = "right" if example.right else "wrong"
    return (example.name, example.label, f"only {example.method} is {side}", example.wrong_answer)


def how_to_read_texts(where: Disagreements) -> str:
    """The command that shows the texts; a report has none."""
    return f"`tunebench disagreements {where.task}` shows the texts, while the data are there."


def section(analysis: Analysis, task: TaskAnalysis) -> Markup:
    """Counts and examples on the page, folded away; nothing where no two methods compare."""
    where = task.disagreements
    if where is None:
        return Markup()
    lines = []
    for method in where.methods:
        name, *shown = count_texts(where, method)
        counts = [where.counts.get((method, other)) for other in where.methods]
        cells = [number(count, cell) for count, cell in zip(counts, shown, strict=True)]
        first = element(
            "th", swatch(analysis, name), text(name), scope="row", data_value=text(name)
        )
        lines.append(element("tr", first, *cells))
    head = [text(name) for name in count_header(where)]
    named = [
        element("tr", *(element("td", text(cell)) for cell in example_texts(one)))
        for one in where.chosen
    ]
    return element(
        "details",
        element("summary", TITLE),
        frame(head, lines, "sortable", COUNTED),
        element("p", text(f"{where.summary} {how_to_read_texts(where)}")),
        frame(HEADER, named, "text") if named else Markup(),
    )


def show(
    where: Disagreements,
    texts: Sequence[tuple[str, ...]],
    columns: Sequence[str],
    console: Console | None = None,
) -> None:
    """Print counts and examples.

    Args:
        where: The disagreements of some methods on a task.
        texts: The texts of every test row, in order; empty where they are not there any more.
        columns: The names of the text columns.
        console: Where to print; standard output by default.
    """
    console = console if console is not None else standard()
    with console.capture() as captured:
        _print(console, where, texts, columns)
    write(console, "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def _print(
    console: Console,
    where: Disagreements,
    texts: Sequence[tuple[str, ...]],
    columns: Sequence[str],
) -> None:
    """The same, line by line."""
    seeds = ", ".join(f"{name} {plural(count, 'seed')}" for name, count in where.seeds.items())
    console.print(literal(f"{where.task}: {where.examples:,} test examples ({seeds})"))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in count_header(where):
        table.add_column(literal(heading), justify="right" if table.columns else "left")
    for method in where.methods:
        table.add_row(*map(literal, count_texts(where, method)))
    console.print(table)
    console.print(literal(COUNTED))
    console.print(literal(where.summary))
    for example in where.chosen:
        name, label, who, wrong_answer = example_texts(example)
        line = f"{name}: {label}; {who}, wrong answer: {wrong_answer}"
        console.print()
        console.print(literal(line), style="bold")
        for column, content in zip(columns, texts[example.place] if texts else (), strict=False):
            shown = content if len(columns) == 1 else f"{column}: {content}"
            console.print(Padding(literal(shown), (0, 0, 0, 4)))
