"""A copy of the project, in which a slip is planted and its tests run in forks of this process.

Importing torch, Lightning and the rest costs more than most of these tests, and a forked child has
them already. A test that fails without any slip would kill everything, so a test that killed one
runs once on the copy as it is, where it has to pass.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutations import Mutation
from tests.mutants.reached import Reach, recorded
from tests.mutants.targets import stages

ROOT = Path(__file__).parents[2]
SLOW = (
    "beartype",
    "coverage",
    "hypothesis.extra.numpy",
    "jaxtyping",
    "lightning.pytorch",
    "numpy",
    "optuna",
    "pandas",
    "peft",
    "pydantic",
    "pytest",
    "scipy.stats",
    "sklearn.metrics",
    "torchmetrics",
    "transformers",
    "triton.language",
)
"""What a process imports before it is forked; nothing of the project."""
PATIENCE = 60.0
"""Seconds of CPU that tests may take beside three times what they took without a slip."""
UNKNOWN = 10.0
"""Seconds that a file of tests is taken to need where it was not measured."""
SLEEP = 4
"""How many times as long they may take by the clock: other work, and what waits for nothing."""
OPTIONS = (
    *("-x", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider"),
    # What is imported before the fork includes packages with plugins of pytest, none of them ours.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a slip."""

    mutation: Mutation
    status: str
    """killed, timeout or survived."""
    by: str
    """The test that failed, or the files of tests that all passed."""
    seconds: float


def prepare() -> None:
    """Import what every fork has, once."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("TRITON_INTERPRET", "1")
    # Compiled files lie in copies that are deleted, and save each fork from compiling again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for name in SLOW:
        importlib.import_module(name)
    # What is here now stays: collecting it again in each fork would cost more than most tests.
    gc.collect()
    gc.freeze()


class Worker:
    """One copy of the project, and the tests that are known to pass there."""

    def __init__(self, place: Path, budget: float = 0.0) -> None:
        self.place = place
        self.budget = budget
        self.sound: set[tuple[str, ...]] = set()
        self.unsound: list[str] = []
        self.stamp = int(time.time())
        for name in listed():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
        # Before the environment's own copy on the path, in this process and in those it starts.
        (place / ".packages").mkdir()
        (place / ".packages" / "tunebench").symlink_to(place / "src")

    def outcome(self, mutation: Mutation, reach: Reach) -> Outcome:
        """Plant a slip, and run its tests until one fails."""
        path = self.place / mutation.file
        source = path.read_bytes()
        started = time.monotonic()
        passed: list[str] = []
        for tests in stages(self.place, mutation, reach, self.budget):
            limit = PATIENCE + 3 * sum(reach.seconds.get(file, UNKNOWN) for file in tests)
            sound = False
            while not sound:
                self._write(path, mutation.applied(source))
                try:
                    status, failed = self._run(tests, limit)
                finally:
                    self._write(path, source)
                sound = status in {"passed", "empty"} or self._is_sound(
                    status, failed, tests, limit
                )
            if status in {"killed", "timeout"}:
                return Outcome(mutation, status, failed, time.monotonic() - started)
            passed += tests
        return Outcome(mutation, "survived", " ".join(passed), time.monotonic() - started)

    def reach(self, tests: str) -> dict[str, object]:
        """Run a file of tests without any slip: whether it passes, its seconds, its lines."""
        lines = self.place / "lines.json"
        lines.unlink(missing_ok=True)
        started = time.monotonic()
        status, failed = self._run((tests,), 1800.0, lines)
        seconds = time.monotonic() - started
        reached = json.loads(lines.read_text("utf-8")) if lines.exists() else {}
        return {"status": status, "failed": failed, "seconds": seconds, "lines": reached}

    def _write(self, path: Path, source: bytes) -> None:
        """Write a file with a time of its own: compiled files are matched by seconds and size."""
        path.write_bytes(source)
        self.stamp += 2
        os.utime(path, (self.stamp, self.stamp))

    def _is_sound(self, status: str, failed: str, tests: Sequence[str], limit: float) -> bool:
        """Whether what failed with a slip passes without; a test that does not is run no more."""
        one = "::" in failed
        # Where a file could not even be imported, importing all of them is what has to go well.
        collect = ("--collect-only",) if status == "killed" and not one else ()
        checked = (failed,) if one else (*tests, *collect)
        if checked in self.sound:
            return True
        outcome, why = self._run(checked, limit)
        if outcome == "passed":
            self.sound.add(checked)
        elif one:
            print(f"fails without any slip, and is left out: {failed}", flush=True)
            self.unsound.append(failed)
        else:
            raise SystemExit(f"without any slip {' '.join(checked)}: {outcome}, {why}")
        return outcome == "passed"

    def _run(
        self, tests: Sequence[str], limit: float, lines: Path | None = None
    ) -> tuple[str, str]:
        """Run tests in a fork: passed, killed, empty or timeout, and the first failure.

        Args:
            tests: Files of tests, or single tests.
            limit: Seconds of CPU for each process; a slip that makes a loop endless ends there.
            lines: Where the lines of the source that they run are written.
        """
        log = self.place / "log"
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(_cpu() + limit),) * 2)
            left_out = [f"--deselect={test}" for test in self.unsound]
            os._exit(_pytest(self.place, (*tests, *left_out), log, lines))
        end = time.monotonic() + SLEEP * limit
        while not (done := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "timeout", f"after {SLEEP * limit:.0f} s"
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what a test left running
        code = os.waitstatus_to_exitcode(done[1])
        if code in {-signal.SIGXCPU, -signal.SIGKILL}:
            return "timeout", f"after {limit:.0f} s of CPU"
        if code in {0, 5}:
            return ("passed", "") if code == 0 else ("empty", "no fast test")
        text = log.read_text("utf-8", "replace")
        failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE)
        return "killed", failed[1] if failed else " ".join(text.split())[-200:]


def _cpu() -> float:
    """Seconds of CPU that this process has taken."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def listed() -> list[str]:
    """Every file of the project that git does not ignore, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return [name for name in names if (ROOT / name).is_file()]


def _pytest(place: Path, tests: Sequence[str], log: Path, lines: Path | None) -> int:
    """In the child: run pytest in the copy, with its output in a file."""
    os.setpgrp()
    # A shell that starts this in the background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.chdir(place)
    packages = str(place / ".packages")
    os.environ["PYTHONPATH"] = packages
    sys.path[:] = [packages, *(entry for entry in sys.path if entry not in {"", str(ROOT)})]
    for name in [name for name in sys.modules if name.partition(".")[0] in {"tests", "tunebench"}]:
        del sys.modules[name]
    import pytest

    try:
        with recorded(place, lines) if lines else contextlib.nullcontext():
            code = int(pytest.main([*OPTIONS, "-m", "not slow and not soak", *tests]))
    except BaseException as error:  # any way of ending early is a failure
        print(repr(error))
        code = 1
    sys.stdout.flush()
    return code
