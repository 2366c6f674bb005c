"""A comparison whose workers are stopped in the middle of their trainings, as a process.

    python -m tests.study.stopping '{"checkpoint": …, "out": …, "signal": …}'

Two workers train side by side. Once both have done a step, the signal goes to the process that was
typed (SIGTERM, SIGINT), or to one of the workers (SIGKILL). Every step that is done is a line of
`steps.txt`. The exit code is the program's.
"""

import fcntl
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tunebench import __main__
from tunebench.cli import comparing
from tunebench.config import Experiment, SearchSettings, TrainSettings
from tunebench.study import serving
from tunebench.training.stops import Stops
from tunebench.training.watch import Watch

from tests import small

WAIT = 300.0
"""Seconds until what is waited for never comes."""


def experiment(checkpoint: str, out: str, **changes: Any) -> Experiment:
    """Two methods, a trial and a cell each, of five steps or more; every step is kept."""
    return small.experiment(
        Path(checkpoint),
        Path(out),
        search=SearchSettings(trials=1, trial_epochs=2, epochs=2),
        train=TrainSettings(batch_size=8, accelerator="cpu", threads=1),
        **({"save_every": 0.0, "workers": 2} | changes),
    )


def stopped(line: Mapping[str, Any]) -> None:
    """Have the workers wait for each other, and one of them send the signal."""
    out, number = Path(line["out"]), signal.Signals(line["signal"])
    sent = out / "sent"
    inner, enter = Watch.on_train_batch_end, Stops.__enter__
    current: list[Stops] = []

    def entered(self: Stops) -> Stops:
        current[:] = [self]
        return enter(self)

    def ended(self: Watch, trainer: Any, *rest: Any) -> None:
        inner(self, trainer, *rest)
        with (out / "steps.txt").open("a") as file:
            print(os.getpid(), trainer.global_step, file=file)
        if trainer.global_step != 3 or sent.exists():
            return
        (out / f"waits-{os.getpid()}").touch()
        end = time.monotonic() + WAIT
        while len(list(out.glob("waits-*"))) < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        with (out / "sending").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not sent.exists():
                sent.touch()
                to = os.getpid() if number == signal.SIGKILL else os.getppid()
                os.kill(to, number)
        while number != signal.SIGKILL and not current[0].asked:
            assert time.monotonic() < end
            time.sleep(0.01)

    Stops.__enter__ = entered
    Watch.on_train_batch_end = ended


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    settings = json.loads(sys.argv[1])
    stopped(settings)
    serving.LATENCY_BATCHES = (1,)
    comparing._experiment = lambda line: experiment(settings["checkpoint"], settings["out"])
    sys.exit(__main__.main(["compare", "sentiment"]))
