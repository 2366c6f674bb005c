"""What keeping MLflow and Optuna up to date costs a run: CPU time beside training, and a delay.

    python bench/bench_mlflow.py [--task sentiment] [--methods lora,head] [--seeds 5]

Runs a comparison in one process, where MLflow is written between trainings; with several workers
the processes that train write nothing. Counted is the CPU time of this process inside the calls
that write, beside that of the jobs, and the time from the moment a cell's record is there until its
run in MLflow is complete. Opening the databases once, and what is written when all is over (report,
models), stand by themselves.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunebench.config import DataSettings, Experiment, TrainSettings
from tunebench.errors import UserError
from tunebench.study.compare import compare
from tunebench.study.execution import Execution
from tunebench.study.optuna_database import OptunaDatabase
from tunebench.study.publish import Publisher
from tunebench.tracking import Tracker


@dataclass
class Counter:
    """Times of the calls of one kind, in seconds."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, timed."""

        @functools.wraps(call)
        def timed(*arguments: Any, **named: Any) -> Any:
            cpu, wall = time.process_time(), time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.cpu.append(time.process_time() - cpu)
                self.wall.append(time.perf_counter() - wall)

        return timed


COUNTED: dict[str, tuple[tuple[type, str], ...]] = {
    "jobs": ((Execution, "__call__"),),
    "MLflow, between jobs": ((Publisher, "sync"),),
    "Optuna, between jobs": ((OptunaDatabase, "add"), (OptunaDatabase, "reconcile")),
    "MLflow opened, once": ((Tracker, "prepare"),),
    "MLflow, report and models, once": ((Publisher, "finish"),),
}
"""Name → the calls that are timed together."""


def measure(experiment: Experiment) -> tuple[int, dict[str, Counter]]:
    """Run a comparison with counters around what writes, and give its number of cells with them."""
    counters = {name: Counter() for name in COUNTED}
    kept = [(kind, call, getattr(kind, call)) for calls in COUNTED.values() for kind, call in calls]
    try:
        for name, calls in COUNTED.items():
            for kind, call in calls:
                setattr(kind, call, counters[name].around(getattr(kind, call)))
        cells = len(compare(experiment).results)
    finally:
        for kind, call, original in kept:
            setattr(kind, call, original)
    return cells, counters


def lines(cells: int, counters: dict[str, Counter]) -> list[str]:
    """The figures as a table in Markdown, with two sentences below it."""
    rows = [
        "| what | calls | CPU s | median s, wall | longest s, wall |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, one in counters.items():
        middle = statistics.median(one.wall) if one.wall else 0.0
        slowest = max(one.wall, default=0.0)
        times = f"{sum(one.cpu):.2f} | {middle:.3f} | {slowest:.3f}"
        rows.append(f"| {name} | {len(one.wall)} | {times} |")
    written = sum(sum(counters[name].cpu) for name in COUNTED if name.endswith("between jobs"))
    share = written / (written + sum(counters["jobs"].cpu))
    # The first writes an empty comparison, and the last belongs to the report.
    each = counters["MLflow, between jobs"].wall[1:-1]
    return [
        *rows,
        "",
        f"Writing between jobs takes {share:.1%} of this process's CPU time.",
        f"A cell of {cells} is in MLflow {statistics.median(each):.2f} s after its record is there "
        f"(median of {len(each)}; the longest {max(each):.2f} s).",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure once and print the figures; a mistake is answered by one line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--task", default="sentiment", help="a task of the built-in data")
    parser.add_argument("--methods", default="lora,head", help="names, with commas between them")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    arguments = parser.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory() as out:
            experiment = Experiment(
                tasks=(arguments.task,),
                methods={name: {} for name in arguments.methods.split(",")},
                seeds=tuple(range(arguments.seeds)),
                data=DataSettings(source="pocket"),
                train=TrainSettings(threads=1),
                workers=1,
                out=str(Path(out) / "runs"),
            )
            print("\n".join(lines(*measure(experiment))))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
