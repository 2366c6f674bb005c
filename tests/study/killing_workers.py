"""A comparison with workers whose processes are killed at random, until so many are dead.

    python -m tests.study.killing_workers '{"checkpoint": …, "out": …, "kills": 40, "seed": 0}'

The runner is started again each time that it was hit; a lost worker is the runner's own affair. In
the end the comparison is left to end by itself. The answer is JSON: how many runners and workers
were killed, and the exit status of the last two runners, 0 where both
ended well.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebench.config import Experiment, SearchSettings
from tunebench.study import serving
from tunebench.study.compare import compare

from tests import small

WORKERS = 2
SHORTEST, LONGEST = 0.05, 0.7
"""Seconds between two kills."""


def experiment(checkpoint: str, out: str, workers: int = WORKERS) -> Experiment:
    """24 cells: two methods, twelve seeds, and six trials of each method."""
    return small.experiment(
        Path(checkpoint),
        Path(out),
        methods={"head": {}, "lora": {}},
        seeds=tuple(range(12)),
        search=SearchSettings(trials=6, trial_epochs=1, epochs=1),
        workers=workers,
    )


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are not dead."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def finished(pid: int) -> bool:
    """Whether a child has ended, and waits to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def start(line: Mapping[str, Any]) -> int:
    """A runner, as a process of its own."""
    runner = os.fork()
    if runner == 0:
        compare(experiment(line["checkpoint"], line["out"]))
        os._exit(0)
    return runner


def killed(line: Mapping[str, Any]) -> dict[str, int]:
    """Kill until enough are dead, then let the comparison end."""
    draw = random.Random(line["seed"])
    dead = {"runners": 0, "workers": 0}
    runner = start(line)
    while sum(dead.values()) < line["kills"]:
        while len(children(runner)) < WORKERS and not finished(runner):
            time.sleep(0.05)  # it prepares what it needs, or replaces a lost worker
        time.sleep(draw.uniform(SHORTEST, LONGEST))
        workers = children(runner)
        victim, kind = runner, "runners"
        if workers and draw.random() < 0.6:
            victim, kind = draw.choice(workers), "workers"
        if finished(runner):
            break  # all 24 cells are there already
        os.kill(victim, signal.SIGKILL)
        dead[kind] += 1
        if kind == "runners":
            os.waitpid(runner, 0)
            runner = start(line)
    status = os.waitpid(runner, 0)[1]
    last = start(line)
    return dead | {"status": status or os.waitpid(last, 0)[1]}


if __name__ == "__main__":
    serving.LATENCY_BATCHES = (1,)
    print(json.dumps(killed(json.loads(sys.argv[1]))))
