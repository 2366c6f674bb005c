"""Compile every shipped kernel configuration for GPUs that are not there, and hold it to its laws.

    make kernels-aot              about 90 kernels in bf16, with fp16 spot checks
    make kernels-aot ALL=1        every number type, mask and odd head size besides
    make kernels-aot ARGS=--keep  keep the main loops' figures of today (bench/kernel_loops.json)

Prints one row per kernel and one per main loop, beside a plain dense loop of the same tile. Exits
with 1 where a kernel spills, has no tensor-core instruction, moves memory in narrow pieces or takes
more shared memory than its architectures have, and where a main loop is above its bar or has grown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import kernel_loops

if TYPE_CHECKING:
    from tunebench.kernels.ahead_of_time import Facts, Job

TRITON = "3.7.1"
HEADER = (
    f"{'arch':7}{'kernel':9}{'head':>5} {'type':5}{'masks':8}{'tile':>9}{'warps':>6}{'stages':>7}"
    f"{'registers':>10}{'spilled':>8}{'shared':>8}{'matrix':>7}{'128-bit ld/st':>14}"
)


def jobs(everything: bool) -> Iterator[Job]:
    """What is compiled: bf16 rows with spot checks, or all that can be launched."""
    from tunebench.kernels.ahead_of_time import FUNCTIONS, Job
    from tunebench.kernels.launch import ARCHITECTURES, BRIEF, WIDTHS

    for arch in ARCHITECTURES:
        for head in WIDTHS:
            for kernel in FUNCTIONS:
                yield Job(arch, kernel, head, "bf16")
    for arch, kernel, head, _ in BRIEF:
        yield Job(arch, kernel, head, "bf16", short=True)
    for arch, kernel, head in SPOTS:
        yield Job(arch, kernel, head, "fp16")
    if everything:
        yield from more_jobs()


SPOTS = (("sm_80", "forward", 64), ("sm_80", "keys", 128), ("sm_90", "queries", 128))


def more_jobs() -> Iterator[Job]:
    """Other number types, masks and head sizes of each row."""
    from tunebench.kernels.ahead_of_time import FUNCTIONS, Job
    from tunebench.kernels.launch import ARCHITECTURES, WIDTHS

    for arch in ARCHITECTURES:
        for kernel in FUNCTIONS:
            for head in WIDTHS:
                job = Job(arch, kernel, head, "bf16")
                if (arch, kernel, head) not in SPOTS:
                    yield replace(job, dtype="fp16")
                yield replace(job, dtype="fp32")
            yield replace(Job(arch, kernel, 80, "bf16"))
            if kernel in ("forward", "keys", "queries"):
                for head in WIDTHS:
                    job = Job(arch, kernel, head, "bf16")
                    yield replace(job, window=True)
                    yield replace(job, causal=False, prefix=False)
                    yield replace(job, causal=False, window=True)
            if kernel == "rotate":
                yield replace(Job(arch, kernel, 64, "bf16"), interleaved=True)
                yield replace(Job(arch, kernel, 64, "bf16"), window=True)


@dataclass(frozen=True)
class Compiled:
    """What came out of one job."""

    job: Job
    facts: Facts | None
    broken: list[str]
    """Laws that it breaks, or what the compiler printed."""
    loops: list[kernel_loops.Compared]


def compiled(job: Job) -> Compiled:
    """One job done in a process of its own, with the plain loop where its loops are compared."""
    from tunebench.kernels.ahead_of_time import broken_laws, compile_job

    try:
        facts, loops = compile_job(job), []
        if kernel_loops.is_compared(job):
            loops = kernel_loops.compare(job, facts, compile_job(replace(job, plain=True)))
        return Compiled(job, facts, broken_laws(job, facts), loops)
    except Exception as error:
        return Compiled(job, None, [f"{type(error).__name__}: {str(error)[-300:]}"], [])


def row(job: Job, facts: Facts) -> str:
    """One line of the table."""
    launch = job.launch
    named = (
        ("c", job.causal), ("w", job.window), ("p", job.prefix), ("i", job.interleaved),
        ("s", job.short),
    )  # fmt: skip
    masks = "".join(letter for letter, on in named if on)
    tile = f"{launch.rows}x{launch.columns}"
    moves = f"{facts.wide_loads}/{facts.wide_stores}"
    return (
        f"{job.arch:7}{job.kernel:9}{job.head:5} {job.dtype:5}{masks:8}{tile:>9}{launch.warps:6}"
        f"{launch.stages:7}{facts.registers:10}{facts.spilled:8}{facts.shared:8}{facts.matrix:7}"
        f"{moves:>14}"
    )


def main() -> int:
    """Compile, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", default="", help="arch:kernel:head, any part may be empty")
    parser.add_argument("--keep", action="store_true", help="keep the main loops' figures")
    parser.add_argument("--kept", type=Path, default=kernel_loops.KEPT, help="where they are kept")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    os.environ.pop("TRITON_INTERPRET", None)
    try:
        import triton
    except ImportError:
        print("kernels-aot: triton is not installed here (it is installed on Linux only)")
        return 0
    print(f"triton {triton.__version__}, its own ptxas; registers and bytes as compiled, no GPU")
    if triton.__version__ != TRITON:
        print(f"kernels-aot: the table was made with triton {TRITON}; spills depend on the version")
        return 1
    wanted = [part or None for part in f"{asked.only}:::".split(":")[:3]]
    work = [
        job
        for job in jobs(os.environ.get("ALL") == "1")
        if all(
            w in (None, str(v))
            for w, v in zip(wanted, (job.arch, job.kernel, job.head), strict=True)
        )
    ]
    started = time.monotonic()
    done = compile_all(work, asked.processes)
    compared = [loop for one in done for loop in one.loops]
    if asked.keep:
        kernel_loops.keep(asked.kept, TRITON, compared)
    broken = [f"{name_of(one.job)}: {rule}" for one in done for rule in one.broken]
    broken += loops_judged(compared, kernel_loops.read(asked.kept, TRITON))
    print(f"{len(work)} kernels in {time.monotonic() - started:.0f} s, {len(broken)} broken laws")
    for rule in broken:
        print(f"broken: {rule}")
    return 1 if broken or not work else 0


def name_of(job: Job) -> str:
    """A job in the words of `--only`, with its number type."""
    return f"{job.arch} {job.kernel} {job.head} {job.dtype}"


def compile_all(work: list[Job], processes: int) -> list[Compiled]:
    """Compile the jobs side by side, with a cache that nothing else uses, and print a row each."""
    print(HEADER)
    done = []
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TRITON_CACHE_DIR"] = cache
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for one in pool.imap(compiled, work):
                facts = one.facts
                text = f"{one.job} {one.broken[0]}" if facts is None else row(one.job, facts)
                print(text, flush=True)
                done.append(one)
    return done


def loops_judged(compared: list[kernel_loops.Compared], kept: kernel_loops.Figures) -> list[str]:
    """Print a row for each main loop; gives what is broken."""
    if compared:
        print(f"\nmain loops: instructions for one tile\n{kernel_loops.HEADER}")
    for loop in compared:
        print(loop.row())
    return [f"{loop.name}, {loop.loop}: {rule}" for loop in compared for rule in loop.broken(kept)]


if __name__ == "__main__":
    sys.exit(main())
