from __future__ import annotations

import io

from rich.console import Console
from tunebench.progress import Progress
from tunebench.report.board import Board
from tunebench.report.console import plain, written
from tunebench.report.live import Live

from tests.records import comparison, result

CELLS = [("sst2", "lora", 0), ("sst2", "head", 0), ("rte", "lora", 0), ("rte", "head", 0)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def terminal() -> tuple[io.StringIO, Console]:
    file = io.StringIO()
    return file, Console(file=file, force_terminal=True, width=100)


def test_the_view_is_a_progress() -> None:
    progress: Progress = Live(plain())
    progress.note("one line")


def test_without_a_terminal_each_event_is_one_line() -> None:
    console, clock = plain(), Clock()
    with Live(console, clock) as live:
        live.plan(CELLS, [result("sst2", "lora", 0)])
        live.note("data: made up")
        live.phase("sst2", "head", "trial 1 of 2")
        live.step(1, 10, 0.5)
        clock.now = 60.0
        live.finished(result("sst2", "head", 0))
        live.finished(result("rte", "lora", 0, "error"))
    lines = written(console).splitlines()
    assert lines[:3] == [
        "4 cells planned, 1 there already",
        "data: made up",
        "sst2 head: trial 1 of 2",
    ]
    assert lines[3].startswith("[2/4] sst2 head seed 0: accuracy 0.")
    assert lines[3].endswith("1 min 0 s so far, about 2 min 0 s left")
    assert lines[4].startswith("[3/4] rte lora seed 0: error. made-up error; 3 of 4 cells, 1 fail")
    assert len(lines) == 5
    assert "\x1b" not in written(console)


def test_a_terminal_is_given_back_as_it_was() -> None:
    file, console = terminal()
    with Live(console) as live:
        live.plan(CELLS, [])
        live.phase("sst2", "lora", "seed 0")
        live.step(3, 10, 0.25)
        live.finished(result("sst2", "lora", 0, "diverged"))
    shown = file.getvalue()
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    assert "sst2 lora seed 0: diverged" in shown
    live.close()
    assert file.getvalue() == shown


def test_the_table_is_gone_after_the_last_cell_even_without_a_with_block() -> None:
    file, console = terminal()
    live = Live(console)
    live.plan(CELLS[:1], [])
    live.finished(result("sst2", "lora", 0))
    assert file.getvalue().count("\x1b[?25h") == 1


def test_the_time_left_follows_the_pace_of_this_run_only() -> None:
    clock = Clock()
    board = Board(clock)
    board.plan(CELLS, [result("sst2", "lora", 0)])
    assert board.left is None
    clock.now = 30.0
    board.take(result("sst2", "head", 0))
    assert board.left == 60.0
    board.take(result("rte", "lora", 0))
    board.take(result("rte", "head", 0))
    assert board.left == 0.0


def test_a_cell_told_twice_counts_once() -> None:
    board = Board(Clock())
    board.plan(CELLS, [])
    board.take(result("sst2", "lora", 0))
    board.take(result("sst2", "lora", 0))
    assert len(board.results) == 1


def test_the_table_shows_scores_failures_what_runs_and_what_waits() -> None:
    board = Board(Clock())
    board.plan(CELLS, [])
    done = result("sst2", "lora", 0)
    board.take(done)
    board.take(result("sst2", "head", 0, "diverged"))
    board.enter("rte", "lora", "trial 1 of 2")
    assert board.entry("sst2", "lora") == f"{done.score:.3f}"
    assert board.entry("sst2", "head") == "diverged"
    assert board.entry("rte", "lora") == "running"
    assert board.entry("rte", "head") == "·"


def test_all_phases_that_run_side_by_side_are_shown_and_those_that_are_over_are_not() -> None:
    console = plain()
    live = Live(console)
    live.plan(CELLS, [])
    live.phase("sst2", "lora", "seed 0")
    live.phase("rte", "head", "trial 1 of 2")

    def shown() -> str:
        page = plain()
        page.print(live._view())
        return written(page)

    assert "sst2 lora seed 0" in shown()
    assert "rte head trial 1 of 2" in shown()
    assert live._board.entry("sst2", "lora") == live._board.entry("rte", "head") == "running"
    live.over("sst2", "lora", "seed 0")
    assert "sst2 lora" not in shown()
    assert "rte head trial 1 of 2" in shown()
    assert live._board.entry("sst2", "lora") == "·"


def test_a_comparison_that_is_all_there_draws_nothing() -> None:
    file, console = terminal()
    records = comparison(("sst2",), ("lora",), (0,))
    with Live(console) as live:
        live.plan([("sst2", "lora", 0)], list(records.results))
    assert "\x1b[?25l" not in file.getvalue()


def test_a_study_without_a_plan_shows_its_phase() -> None:
    file, console = terminal()
    with Live(console) as live:
        live.phase("rte", "lora", "trial 1 of 20")
        live.step(1, 10, 0.5)
    assert "trial 1 of 20" in file.getvalue()
    assert file.getvalue().count("\x1b[?25h") == 1
