"""The view while a comparison runs: a live table on a terminal, one line an event elsewhere."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..progress import Progress, Quiet, in_notebook
from ..records import Result, Trial
from ..text import one_line, plural, redact
from .board import Board, Cell, ended
from .console import standard, write

REFRESHES = 4
"""Drawings a second: enough to look alive, too few to be felt by the training."""


def default_progress() -> Progress:
    """What hears of a run that nobody passed a progress for: in a notebook lines below the cell.

    A script prints for itself, so there nothing is shown.
    """
    return Live() if in_notebook() else Quiet()


class Live:
    """Shows the progress of a run; a `with` block gives the terminal back whatever happens."""

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Draw on the console, standard output by default; `clock` gives the time in seconds."""
        self._console = console if console is not None else standard()
        self._board = Board(clock)
        self._screen: Screen | None = None

    def __enter__(self) -> Live:
        """The view itself; drawing starts with the plan."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self.close()

    def close(self) -> None:
        """Stop drawing and leave the terminal as it was; closing twice is closing once."""
        screen, self._screen = self._screen, None
        if screen is not None:
            atexit.unregister(self.close)
            screen.stop()

    def plan(self, cells: Sequence[Cell], done: Sequence[Result]) -> None:
        """Say how much there is to do, and begin to draw where there is a terminal."""
        self.close()
        self._board.plan(cells, done)
        if not cells:  # a single study has no plan of cells
            return
        there = f", {len(done)} there already" if done else ""
        self._say(f"{plural(len(cells), 'cell')} planned{there}")
        if len(done) < len(cells):
            self._draw()

    def note(self, text: str) -> None:
        """Print the line."""
        self._say(redact(one_line(text)))

    def phase(self, task: str, method: str, what: str) -> None:
        """Show which phase runs."""
        self._board.enter(task, method, what)
        self._draw()
        if self._screen is None:
            self._say(one_line(f"{task} {method}: {what}"))

    def over(self, task: str, method: str, what: str) -> None:
        """Take a phase out of those that run."""
        self._board.leave(task, method, what)

    def step(self, step: int, steps: int, loss: float) -> None:
        """Move the bar; without a terminal nothing is printed for a step."""
        board = self._board
        board.step, board.steps, board.loss = step, steps, loss

    def tried(self, task: str, method: str, trial: Trial) -> None:
        """Print a trial's score and the best so far, but for a table of cells, which has no room.

        What a comparison's trials gave stands in its report.
        """
        self._board.try_(trial)
        if self._screen is None or not self._board.cells:
            self._say(redact(one_line(self._board.trial_line(task, method, trial))))

    def finished(self, result: Result) -> None:
        """Enter the cell into the table, or print its line."""
        board = self._board
        board.take(result)
        if self._screen is None:
            count = f"[{len(board.results)}/{len(board.cells)}]"
            self._say(f"{count} {ended(result)}; {board.time_line()}")
        elif result.status != "complete":
            self._say(ended(result))
        if len(board.results) >= len(board.cells):
            self.close()

    def _draw(self) -> None:
        """Begin to draw, where there is a terminal and nothing is drawn yet."""
        if self._screen is not None or not self._console.is_terminal:
            return
        self._screen = Screen(
            console=self._console,
            get_renderable=self._view,
            refresh_per_second=REFRESHES,
            transient=True,
        )
        # Whoever does not use `with` gets the cursor back when the process ends.
        atexit.register(self.close)
        self._screen.start()

    def _say(self, text: str) -> None:
        """One line: above the table where there is one, flushed at once where there is none."""
        if self._console.is_terminal:
            self._console.print(Text(text))
            return
        # Rich would break the line at the width of a terminal that is not there.
        write(self._console, f"{text}\n")

    def _view(self) -> Group:
        """The table of scores so far, the running phase, its bar, and the time."""
        board = self._board
        bar = ProgressBar(total=max(1, board.steps), completed=board.step, width=40)
        count = f"  step {board.step} of {board.steps}" if board.steps else ""
        loss = f", loss {board.loss:.3f}" if board.loss is not None else ""
        line = Table.grid()
        line.add_row(bar, Text(count + loss))
        running = [f"{task} {method} {what}" for task, method, what in tuple(board.running)]
        now = Text("\n".join(map(one_line, running)), style="bold")
        if not board.cells:  # a single study has no plan of cells
            best = board.best_line()
            return Group(now, line, *([Text(best)] if best else []))
        return Group(self._table(), now, line, Text(board.time_line(), style="dim"))

    def _table(self) -> Table:
        """Methods against tasks."""
        cells = self._board.cells
        tasks = list(dict.fromkeys(task for task, _, _ in cells))
        shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        shown.add_column("method", no_wrap=True)
        for task in tasks:
            shown.add_column(Text(one_line(task)), justify="right", no_wrap=True)
        for method in dict.fromkeys(method for _, method, _ in cells):
            entries = [Text(self._board.entry(task, method)) for task in tasks]
            shown.add_row(Text(one_line(method)), *entries)
        return shown
