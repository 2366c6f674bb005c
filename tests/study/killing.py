"""Runs that kill themselves at a chosen moment: one process imports, a child dies for each line.

    python -m tests.study.killing < lines

Each line is JSON: the experiment's checkpoint and folder, the signal, and the moment, an event's
name and how often it has happened by then. The answer to each is the child's wait status.
"""

import gc
import json
import os
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebench import __main__, files
from tunebench.cli import comparing
from tunebench.report import live
from tunebench.study import cell, optuna_database, publish
from tunebench.tracking import tracker, writer

from tests import small

EVENTS = ("file", "step", "ask", "add", "run", "report")
"""A file gets its name, an optimizer step, a draw, a trial in Optuna, a run in MLflow, a report."""


class Moment:
    """Sends the signal to this process when an event has happened so often."""

    def __init__(self, event: str, count: int, number: int) -> None:
        self.event, self.left, self.number = event, count, number
        self.seen: Counter[str] = Counter()

    def happened(self, event: str) -> None:
        self.seen[event] += 1
        if (event, self.seen[event]) == (self.event, self.left):
            os.kill(os.getpid(), self.number)

    def watch(self, owner: object, name: str, event: str, *, after: bool = True) -> None:
        inner = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if not after:
                self.happened(event)
            result = inner(*arguments, **named)
            if after:
                self.happened(event)
            return result

        setattr(owner, name, call)


def watched(moment: Moment) -> None:
    """Put the moment's ear to every place where something lasting is written."""
    moment.watch(files.os, "replace", "file", after=False)
    moment.watch(files.os, "replace", "file")
    moment.watch(live.Live, "step", "step")
    moment.watch(optuna_database.optuna.Study, "ask", "ask")
    moment.watch(optuna_database.OptunaDatabase, "add", "add", after=False)
    moment.watch(optuna_database.OptunaDatabase, "add", "add")
    moment.watch(writer.Writer, "write", "run")
    moment.watch(publish, "write", "report")
    assert tracker.Writer is writer.Writer


def child(line: Mapping[str, Any]) -> int:
    """Run the comparison by the program's own door; returns its exit code."""
    experiment = small.experiment(
        Path(line["checkpoint"]), Path(line["out"]), methods={"head": {}, "lora": {}}
    )
    moment = Moment(line["event"], line["count"], line["signal"])
    watched(moment)
    comparing._experiment = lambda line: experiment
    cell.LATENCY_BATCHES = (1,)
    code: int = __main__.main(["compare", "sentiment"])
    Path(line["out"], "seen.json").write_text(json.dumps(moment.seen))
    return code


def main() -> None:
    warnings.simplefilter("ignore")
    import lightning.pytorch  # noqa: F401  (each child begins where this process has come to)
    import matplotlib.figure  # noqa: F401
    import mlflow.tracking  # noqa: F401

    gc.freeze()
    for text in sys.stdin:
        number = os.fork()
        if number == 0:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os._exit(child(json.loads(text)))
        print(os.waitpid(number, 0)[1], flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
