"""Tries a seeded sample of slips: `make mutants`.

First it measures which tests run which lines (`reached.py`), unless that is known for this state of
the source and the tests. Then every worker plants one slip at a time in its copy of the project
(`worker.py`) and runs the tests that run its statement, until one fails. A stopped run goes on with
`--keep=all`; `--keep=killed` tries again what survived. Slips that are known to change nothing
(`unchanging.py`) are not tried.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutants import reached
from tests.mutants.mutations import Mutation, mutations
from tests.mutants.targets import ROOMS, files, files_of
from tests.mutants.unchanging import listed as listed_unchanging
from tests.mutants.unchanging import why_nothing_changes
from tests.mutants.worker import ROOT, Worker, listed, prepare


def forked(parts: Sequence[Callable[[], None]]) -> bool:
    """Run each in a child of its own; whether all went well."""
    children = []
    for part in parts:
        child = os.fork()
        if not child:
            part()
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return not any(codes)


def measure(tests: Sequence[str], states: dict[str, str], path: Path) -> None:
    """In a worker: which lines files of tests run, noted one after the other."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        worker = Worker(Path(folder).resolve())
        for test in tests:
            row = {"tests": test, "state": states[test], **worker.reach(test)}
            _append(path, row)
            print(f"{row['status']:9} {test} {row['seconds']:.1f} s {row['failed']}", flush=True)


def attempt(slips: Sequence[Mutation], reach: reached.Reach, budget: float, results: Path) -> None:
    """In a worker: try slips one after the other, and note each outcome as it comes."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        worker = Worker(Path(folder).resolve(), budget)
        for mutation in slips:
            outcome = worker.outcome(mutation, reach)
            _append(results, asdict(outcome))
            print(f"{outcome.status:9} {mutation.label} [{outcome.by}]", flush=True)


def _append(path: Path, row: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def kept(results: Path, keep: str, drawn: Sequence[Mutation]) -> list[dict[str, Any]]:
    """The outcomes of an earlier run that stand."""
    if keep == "none" or not results.exists():
        return []
    rows = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    slips = set(drawn)
    return [
        row
        for row in rows
        if Mutation(**row["mutation"]) in slips and (keep == "all" or row["status"] != "survived")
    ]


def report(
    outcomes: Sequence[dict[str, Any]], drawn: int, reasons: dict[Mutation, str | None]
) -> None:
    """Print what survived, what changes nothing and why, and the share that was killed.

    Args:
        outcomes: Of the slips that were tried.
        drawn: How many are to be tried; what was not tried yet does not count as killed.
        reasons: Slip → why it changes nothing, if so.
    """
    unchanging = sorted((slip for slip, why in reasons.items() if why is not None), key=_place)
    for mutation in unchanging:
        print(f"changes nothing  {mutation.label}: {reasons[mutation]}")
    survived = [Mutation(**one["mutation"]) for one in outcomes if one["status"] == "survived"]
    for mutation in sorted(survived, key=_place):
        print(f"survived  {mutation.label}")
    killed = len(outcomes) - len(survived)
    share = f"{killed / max(1, drawn):.1%}"
    print(f"{killed} of {drawn} that change behaviour killed ({share})", end="; ")
    print(f"{len(unchanging)} more change nothing; {drawn - len(outcomes)} not tried")


def _place(mutation: Mutation) -> tuple[str, int, int]:
    return mutation.file, mutation.start, mutation.stop


def main() -> None:
    """Draw the sample, try it, and list what survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files whose path begins so")
    parser.add_argument("--tests", default="tests", help="files and folders of tests, by commas")
    parser.add_argument("--near", action="store_true", help="only each file's own tests")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutants.jsonl")
    parser.add_argument("--keep", choices=("none", "killed", "all"), default="none")
    parser.add_argument("--report", action="store_true", help="show what is known, try nothing")
    parser.add_argument("--budget", type=float, default=300.0, help="seconds of tests for a slip")
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
    known_reasons = listed_unchanging()
    reasons = {m: why_nothing_changes(ROOT, m, known_reasons) for m in drawn}
    drawn = [mutation for mutation in drawn if reasons[mutation] is None]
    results: Path = options.results
    results.parent.mkdir(parents=True, exist_ok=True)
    earlier = kept(results, "all" if options.report else options.keep, drawn)
    if options.report:
        report(earlier, len(drawn), reasons)
        return
    results.write_text("".join(json.dumps(row) + "\n" for row in earlier))
    prepare()

    states = reached.states(ROOT, listed())
    chosen = files_of(ROOT, options.tests.split(","))
    states = {t: state for t, state in states.items() if t in chosen and not options.near}
    known = results.with_name("mutants-reach.jsonl")
    reach, measured = reached.read(known, states)
    # Every worker takes its share in the order drawn: those tried first are a sample, too.
    shares = range(options.workers)
    unknown = [test for test in states if test not in measured]
    fine = forked([partial(measure, unknown[i :: len(shares)], states, known) for i in shares])
    reach, _ = reached.read(known, states)
    done = {Mutation(**row["mutation"]) for row in earlier}
    todo = [mutation for mutation in drawn if mutation not in done]
    fine &= forked(
        [partial(attempt, todo[i :: len(shares)], reach, options.budget, results) for i in shares]
    )
    outcomes = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    report(outcomes, len(drawn), reasons)
    sys.exit(not fine or len(outcomes) < len(drawn))


if __name__ == "__main__":
    main()
