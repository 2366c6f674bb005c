"""Compile every shipped kernel configuration for GPUs that are not there, and hold it to its laws.

    make kernels-aot            about 70 kernels in bf16, with fp16 spot checks
    make kernels-aot ALL=1      every number type, mask and odd head size besides

Prints one row per kernel and exits with 1 where one spills, has no tensor-core instruction, moves
memory in narrow pieces or takes more shared memory than its architectures have.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

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
    from tunebench.kernels.launch import ARCHITECTURES, WIDTHS

    for arch in ARCHITECTURES:
        for head in WIDTHS:
            for kernel in FUNCTIONS:
                yield Job(arch, kernel, head, "bf16")
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


def compiled(job: Job) -> tuple[Job, Facts | str]:
    """One job done in a process of its own: its facts, or what the compiler printed."""
    from tunebench.kernels import ahead_of_time

    try:
        return job, ahead_of_time.compile_job(job)
    except Exception as error:
        return job, f"{type(error).__name__}: {str(error)[-300:]}"


def row(job: Job, facts: Facts) -> str:
    """One line of the table."""
    launch = job.launch
    named = (("c", job.causal), ("w", job.window), ("p", job.prefix), ("i", job.interleaved))
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
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    only = parser.parse_args()
    os.environ.pop("TRITON_INTERPRET", None)
    try:
        import triton
    except ImportError:
        print("kernels-aot: triton is not installed here (it is installed on Linux only)")
        return 0
    from tunebench.kernels.ahead_of_time import broken_laws

    print(f"triton {triton.__version__}, its own ptxas; registers and bytes as compiled, no GPU")
    if triton.__version__ != TRITON:
        print(f"kernels-aot: the table was made with triton {TRITON}; spills depend on the version")
        return 1
    wanted = [part or None for part in f"{only.only}:::".split(":")[:3]]
    work = [
        job
        for job in jobs(os.environ.get("ALL") == "1")
        if all(
            w in (None, str(v))
            for w, v in zip(wanted, (job.arch, job.kernel, job.head), strict=True)
        )
    ]
    return judge(work, only.processes, broken_laws)


def judge(work: list[Job], processes: int, broken_laws: Callable[[Job, Facts], list[str]]) -> int:
    """Compile the jobs side by side, with a cache that nothing else uses; 1 where a law breaks."""
    started, failures = time.monotonic(), []
    print(HEADER)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TRITON_CACHE_DIR"] = cache
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for job, facts in pool.imap(compiled, work):
                broken = [facts] if isinstance(facts, str) else broken_laws(job, facts)
                print(f"{job} {facts}" if isinstance(facts, str) else row(job, facts), flush=True)
                failures += [f"{job.arch} {job.kernel} {job.head} {job.dtype}: {b}" for b in broken]
    print(f"{len(work)} kernels in {time.monotonic() - started:.0f} s, {len(failures)} broken laws")
    for failure in failures:
        print(f"broken: {failure}")
    return 1 if failures or not work else 0


if __name__ == "__main__":
    sys.exit(main())
