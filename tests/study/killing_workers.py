"""A comparison whose processes are killed at random moments, until so many are dead.

    python -m tests.study.killing_workers '{"checkpoint": …, "out": …, "steps": FILE, "helpers": 2,
        "kills": 40, "seconds": 0.5, "seed": 0}'

There are a runner with two worker processes and so many helpers: `work` commands, of which one
leads when the runner is dead. What was killed is started again, a worker process by its runner. The
kills are spread over the comparison: each waits for its share of the records, and then up to
`seconds`. In the end the comparison is left to end by itself. The answer is JSON: how many of each
kind were killed, how many of them while a job was theirs, and the exit statuses of the commands
that were left, 0 where they ended well. A byte is written to `steps` for every optimizer step that
anybody takes.
"""

import dataclasses
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tunebench.config import Experiment, SearchSettings
from tunebench.errors import UserError
from tunebench.store.leases import Leases
from tunebench.study import serving
from tunebench.study.compare import compare
from tunebench.study.work import work

from tests import small
from tests.study.optimizer_steps import count_steps

WORKERS, RECORDS = 2, 36
SPREAD = 0.8
"""The share of the records that are there when the last kill comes, or a few more."""
EPOCHS = 8
"""Of a cell: it lasts some tenths of a second, in which it is kept several times."""
SAVE_EVERY = 0.05


def experiment(
    checkpoint: str, out: str, workers: int = WORKERS, epochs: int = 1, **changes: Any
) -> Experiment:
    """24 cells: two methods and, unless others are named, twelve seeds; six trials of each."""
    settings: dict[str, Any] = {
        "methods": {"head": {}, "lora": {}},
        "seeds": tuple(range(12)),
        "search": SearchSettings(trials=6, trial_epochs=1, epochs=epochs),
        "workers": workers,
    } | changes
    settings["seeds"] = tuple(settings["seeds"])  # JSON has lists alone
    return small.experiment(Path(checkpoint), Path(out), **settings)


def longer(checkpoint: str, out: str, workers: int = WORKERS) -> Experiment:
    """The same, of cells that are kept while they are trained."""
    return experiment(checkpoint, out, workers, EPOCHS, save_every=SAVE_EVERY)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are not dead."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def run_all(line: Mapping[str, Any]) -> None:
    """The runner: waits while a helper leads, and makes what is missing then.

    A job that loses two workers in one run is a row that says so, and complete in the next one.
    """
    whole = False
    while not whole:
        try:
            made = compare(longer(line["checkpoint"], line["out"]))
            whole = all(one.status == "complete" for one in (*made.trials, *made.results))
        except UserError as error:
            if "another run is working" not in str(error):
                raise
            time.sleep(0.2)
    over(line).touch()


def over(line: Mapping[str, Any]) -> Path:
    """A file that is there when the runner has made everything."""
    return Path(line["steps"]).with_name("over")


def help_out(line: Mapping[str, Any]) -> None:
    """A helper: takes jobs whenever there is a comparison to join."""
    while not over(line).exists():
        try:
            work(Path(line["out"]), workers=1)
        except UserError as error:
            if "no comparison is run" not in str(error):
                raise
            time.sleep(0.2)


@dataclasses.dataclass
class Command:
    """A command as a process of its own."""

    kind: str
    run: Callable[[Mapping[str, Any]], None]
    line: Mapping[str, Any]
    pid: int = 0

    def start(self) -> None:
        """Begin, or begin again."""
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                self.run(self.line)
                status = 0
            finally:
                os._exit(status)

    @property
    def ended(self) -> bool:
        """Whether it has, and waits to be waited for."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def kill(self) -> None:
        """Kill it, and start it again."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.start()


def records(out: Path) -> int:
    """How many trials and cells have a record."""
    return sum(1 for pattern in ("trials/*/*.json", "cells/*.json") for _ in out.glob(pattern))


def at_work(out: Path) -> set[int]:
    """The processes that have a job."""
    leases = Leases(out)
    held = map(leases.lease, leases.held())
    return {lease.process.pid for lease in held if lease is not None}


def kill_one(commands: list[Command], out: Path, draw: random.Random) -> tuple[str, bool] | None:
    """Kill a process, each kind as often as another; what it was, and whether it had a job."""
    runner = commands[0]
    victims: list[tuple[str, Command, int]] = [
        (one.kind, one, one.pid) for one in commands if not one.ended
    ]
    victims += [("workers", runner, pid) for pid in children(runner.pid)]
    if not victims:
        return None
    kind = draw.choice(sorted({kind for kind, _, _ in victims}))
    _, command, pid = draw.choice([one for one in victims if one[0] == kind])
    busy_ones = at_work(out)
    had_a_job = bool(busy_ones & ({pid, *children(pid)} if kind == "runners" else {pid}))
    if kind == "workers":
        os.kill(pid, signal.SIGKILL)
    else:
        command.kill()
    return kind, had_a_job


def killed(line: Mapping[str, Any]) -> dict[str, Any]:
    """Kill until enough are dead, then let the comparison end."""
    draw, out = random.Random(line["seed"]), Path(line["out"])
    runner = Command("runners", run_all, line)
    commands = [runner, *(Command("helpers", help_out, line) for _ in range(line["helpers"]))]
    for command in commands:
        command.start()
    dead = {"runners": 0, "workers": 0, "helpers": 0, "at work": 0}
    for number in range(line["kills"]):
        while records(out) < SPREAD * RECORDS * number / line["kills"] and not runner.ended:
            time.sleep(0.02)
        time.sleep(draw.uniform(0.0, line["seconds"]))
        if runner.ended:
            break  # everything is there already
        victim = kill_one(commands, out, draw)
        if victim is not None:
            dead[victim[0]] += 1
            dead["at work"] += victim[1]
    statuses = [os.waitpid(one.pid, 0)[1] for one in commands]
    return dead | {"statuses": statuses}


if __name__ == "__main__":
    serving.LATENCY_BATCHES = (1,)
    asked = json.loads(sys.argv[1])
    count_steps(Path(asked["steps"]))
    print(json.dumps(killed(asked)))
