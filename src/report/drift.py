"""How far cells moved between two environments, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from ..analysis.drift import Drift, summary
from .console import literal, standard, write

HEADER = ("task", "method", "score", "seeds", "then", "now", "difference", "changed", "± seeds")
HOW_TO_READ = (
    "then, now: mean scores of the same seeds; changed: predictions that are other ones now; "
    "± seeds: standard deviation over the comparison's seeds."
)


def lines(one: Drift) -> tuple[str, ...]:
    """A method's line under `HEADER`."""
    return (
        one.task,
        one.method,
        one.metric,
        ", ".join(map(str, one.seeds)),
        f"{one.then:.4f}",
        f"{one.now:.4f}",
        f"{one.difference:+.4f}",
        f"{one.changed:,} of {one.answers:,}" if one.answers else "not stored",
        "one seed" if one.spread is None else f"{one.spread:.4f}",
    )


def show(groups: Mapping[tuple[str, ...], Sequence[Drift]], console: Console | None = None) -> None:
    """Print a table for each change of the environment, then the whole in a sentence.

    Args:
        groups: In what the environments differ → how far each method moved.
        console: Where to print; standard output by default.
    """
    console = console if console is not None else standard()
    with console.capture() as captured:
        for change, every in groups.items():
            what = "; ".join(change) or "nothing that is recorded: the same environment, once more"
            console.print(literal(f"what differs: {what}"), style="bold")
            table = Table(box=None, header_style="bold", pad_edge=False)
            for heading in HEADER:
                left = heading in HEADER[:4]
                table.add_column(literal(heading), justify="left" if left else "right")
            for one in every:
                table.add_row(*map(literal, lines(one)))
            console.print(table)
            console.print()
        if groups:
            console.print(literal(HOW_TO_READ))
            console.print(literal(summary(groups)))
    write(console, "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")
