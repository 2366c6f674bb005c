"""Tries a seeded sample of slips, each in a fork of a process that has imported what is slow.

Every worker has a copy of the project, plants one slip in it at a time and runs the slip's tests
there: importing torch, Lightning and the rest costs more than most of these tests, and a forked
child has them already. A test that fails without any slip would kill everything, so a test that
killed one runs once on the copy as it is, where it has to pass.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutants.mutations import Mutation, mutations
from tests.mutants.targets import ROOMS, files, stages

ROOT = Path(__file__).parents[2]
SLOW = (
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
)
"""What a process imports before it is forked; nothing of the project."""
SECONDS = 600.0
"""How long one run of tests may take; a slip that makes a loop endless is killed then."""
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
    """The test that failed, or the tests that all passed."""
    seconds: float


class Worker:
    """One copy of the project, and the tests that are known to pass there."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.sound: set[tuple[str, ...]] = set()
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=ROOT, text=True).splitlines():
            if (ROOT / name).is_file():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, place / name)
        # Before the environment's own copy on the path, in this process and in those it starts.
        (place / ".packages").mkdir()
        (place / ".packages" / "tunebench").symlink_to(place / "src")

    def outcome(self, mutation: Mutation) -> Outcome:
        """Plant a slip, and run its tests until one fails."""
        path = self.place / mutation.file
        source = path.read_bytes()
        started = time.monotonic()
        tests: tuple[str, ...] = ()
        for tests in stages(self.place, mutation.file):
            path.write_bytes(mutation.applied(source))
            # Compiled files are matched by time and size, which a slip may leave as they were.
            os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**12))
            try:
                status, failed = self._run(tests)
            finally:
                path.write_bytes(source)
            if status != "passed":
                self._check((failed,) if "::" in failed else tests)
                return Outcome(mutation, status, failed, time.monotonic() - started)
        return Outcome(mutation, "survived", " ".join(tests), time.monotonic() - started)

    def _check(self, tests: tuple[str, ...]) -> None:
        """Hold that tests pass on the copy as it is, once."""
        if tests not in self.sound:
            status, failed = self._run(tests)
            if status != "passed":
                raise SystemExit(f"without any slip {' '.join(tests)}: {status}, {failed}")
            self.sound.add(tests)

    def _run(self, tests: Sequence[str]) -> tuple[str, str]:
        """Run tests in a fork: passed, killed or timeout, and the first failure."""
        log = self.place / "log"
        child = os.fork()
        if not child:
            os._exit(_pytest(self.place, tests, log))
        end = time.monotonic() + SECONDS
        while not (done := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "timeout", f"after {SECONDS:.0f} s"
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what a test left running
        if os.waitstatus_to_exitcode(done[1]) == 0:
            return "passed", ""
        text = log.read_text("utf-8", "replace")
        failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE)
        return "killed", failed[1] if failed else " ".join(text.split())[-200:]


def _pytest(place: Path, tests: Sequence[str], log: Path) -> int:
    """In the child: run pytest in the copy, with its output in a file."""
    os.setpgrp()
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
        code = int(pytest.main([*OPTIONS, "-m", "not slow and not soak", *tests]))
    except BaseException as error:  # any way of ending early is a failure
        print(repr(error))
        code = 1
    sys.stdout.flush()
    return code


def _work(todo: Sequence[Mutation], results: Path) -> None:
    """In a worker: try slips one after the other, and note each outcome as it comes."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        worker = Worker(Path(folder).resolve())
        for mutation in todo:
            outcome = worker.outcome(mutation)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            print(f"{outcome.status:9} {mutation.label} [{outcome.by}]", flush=True)


def _shares(sample: Sequence[Mutation], workers: int) -> list[list[Mutation]]:
    """A share of the sample for each worker, with a file's slips in one share."""
    shares: list[list[Mutation]] = [[] for _ in range(workers)]
    by_file: dict[str, list[Mutation]] = {}
    for mutation in sample:
        by_file.setdefault(mutation.file, []).append(mutation)
    for group in sorted(by_file.values(), key=len, reverse=True):
        min(shares, key=len).extend(group)
    return [share for share in shares if share]


def main() -> None:
    """Draw the sample, try it, and list what survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files whose path begins so")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutants.jsonl")
    options = parser.parse_args()
    every = [
        mutation
        for file in files(ROOT)
        if file.startswith(options.only)
        for mutation in mutations(ROOT, file)
    ]
    drawn = random.Random(options.seed).sample(every, min(options.sample, len(every)))
    print(
        f"{len(drawn)} of {len(every)} slips in {', '.join(ROOMS)}; seed {options.seed}", flush=True
    )
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text("")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("TRITON_INTERPRET", "1")
    for name in SLOW:
        importlib.import_module(name)
    children = []
    for share in _shares(drawn, options.workers):
        child = os.fork()
        if not child:
            _work(share, options.results)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    outcomes = [json.loads(line) for line in options.results.read_text("utf-8").splitlines()]
    survived = [outcome for outcome in outcomes if outcome["status"] == "survived"]
    for outcome in sorted(survived, key=lambda o: (o["mutation"]["file"], o["mutation"]["line"])):
        print("survived ", Mutation(**outcome["mutation"]).label)
    killed = len(outcomes) - len(survived)
    print(f"{killed} of {len(outcomes)} killed ({killed / max(1, len(outcomes)):.0%})")
    sys.exit(any(codes) or len(outcomes) < len(drawn))


if __name__ == "__main__":
    main()
