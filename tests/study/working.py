"""One process of a comparison on a shared folder, for tests that start and kill several.

    python -m tests.study.working '{"role": "compare", "checkpoint": …, "out": …, "workers": 1}'

The role is `compare` or `work`; `changes` has further settings. With `"steps": FILE` a byte is
written there for every optimizer step that is taken.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tunebench.errors import UserError
from tunebench.progress import Quiet
from tunebench.study import serving
from tunebench.study.compare import compare
from tunebench.study.work import work

from tests.study.killing_workers import experiment
from tests.study.optimizer_steps import count_steps


def process(
    before: Sequence[str] = (), prepare: Callable[[], None] | None = None, **line: Any
) -> subprocess.Popen[str]:
    """A process of a comparison; what it prints, on whichever stream, is text to be read.

    Args:
        before: A program that starts it, with its arguments.
        prepare: Called in the new process before it begins.
        line: What it is to do, as above.
    """
    return subprocess.Popen(
        [*before, sys.executable, "-m", "tests.study.working", json.dumps(line)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        preexec_fn=prepare,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Notes(Quiet):  # type: ignore[misc]
    """Prints what a user would read."""

    def note(self, text: str) -> None:
        print(text, flush=True)


def start(line: Mapping[str, Any]) -> int:
    """Play the part; the exit code."""
    serving.LATENCY_BATCHES = (1,)
    if line.get("steps"):
        count_steps(Path(line["steps"]))
    out = Path(line["out"])
    try:
        if line["role"] == "work":
            work(out, workers=line["workers"], wait=line.get("wait", 120.0), progress=Notes())
        else:
            changes = line.get("changes", {})
            settings = experiment(line["checkpoint"], line["out"], line["workers"], **changes)
            compare(settings, progress=Notes())
    except UserError as error:
        print(f"tunebench: {error}", flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(start(json.loads(sys.argv[1])))
