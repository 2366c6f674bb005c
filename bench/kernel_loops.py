"""Main loops of the kernels beside plain dense loops of the same tile, and what they may cost.

What is compared is the number of instructions of the machine code for one tile, by one compiler. A
loop without masks is held to a bar; every loop is held to the figure that was kept of it
(`make kernels-aot ARGS=--keep` keeps today's), so none grows unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunebench.kernels.ahead_of_time import Facts, Job

KEPT = Path(__file__).with_name("kernel_loops.json")
HEADS = (64, 128)
KERNELS = ("forward", "queries", "keys", "prefix")
WITHOUT_MASKS = ("whole", "prefix whole")
BARS = {"forward": 1.03, "queries": 1.1, "keys": 1.1, "prefix": 1.1}
"""What a loop without masks may cost, in plain loops."""

Figures = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Compared:
    """One main loop and the plain one beside it."""

    kernel: str
    name: str
    """Architecture, kernel and head size."""
    loop: str
    instructions: int
    plain: int
    spilled: int

    @property
    def ratio(self) -> float:
        """Instructions in plain loops."""
        return self.instructions / self.plain

    @property
    def bar(self) -> float | None:
        """What the ratio may be at most; none where the loop has masks."""
        return BARS[self.kernel] if self.loop in WITHOUT_MASKS else None

    def broken(self, kept: Figures) -> Iterator[str]:
        """What it does not keep to, as sentences."""
        if self.bar is not None and self.ratio > self.bar:
            yield f"`instructions <= {self.bar} plain loops` must hold, but got {self.ratio:.3f}"
        before = kept.get(self.name, {}).get(self.loop)
        if before is None:
            yield "a figure of this loop must be kept (make kernels-aot ARGS=--keep)"
        elif self.instructions > before:
            yield f"`instructions <= {before}`, the kept figure, must hold, got {self.instructions}"

    def row(self) -> str:
        """One line of the table."""
        bar = "" if self.bar is None else f"{self.bar:.2f}"
        return (
            f"{self.name:20}{self.loop:14}{self.instructions:13}{self.plain:7}{self.ratio:7.3f}"
            f"{bar:>6}{self.spilled:8}"
        )


HEADER = f"{'loop of':34}{'instructions':>13}{'plain':>7}{'ratio':>7}{'bar':>6}{'spilled':>8}"


def is_compared(job: Job) -> bool:
    """Whether a job's loops are compared: bf16 rows of NVIDIA's, causal, with a prefix."""
    usual = job.causal and job.prefix and not (job.window or job.short)
    listed = job.kernel in KERNELS and job.head in HEADS and job.arch.startswith("sm_")
    return listed and usual and job.dtype == "bf16"


def compare(job: Job, facts: Facts, plain: Facts) -> list[Compared]:
    """Each main loop of a kernel beside that of the plain one.

    Raises:
        ValueError: Where the machine code has other loops than the kernel, or a loop does not make
            the products of one tile.
    """
    if len(facts.loops) != len(job.main_loops) or len(plain.loops) != 1:
        raise ValueError(f"loops {job.main_loops} expected, got {facts.loops} and {plain.loops}")
    (yardstick,) = plain.loops
    if any(loop.matrix != yardstick.matrix for loop in facts.loops):
        raise ValueError(f"the plain loop makes other products: {facts.loops}, plain {yardstick}")
    name = f"{job.arch} {job.kernel} {job.head}"
    return [
        Compared(job.kernel, name, what, loop.instructions, yardstick.instructions, facts.spilled)
        for what, loop in zip(job.main_loops, facts.loops, strict=True)
    ]


def figures(compared: list[Compared]) -> Figures:
    """What is kept of these loops: their instructions, and the plain loop's."""
    kept: Figures = {}
    for one in compared:
        kept.setdefault(one.name, {"plain": one.plain})[one.loop] = one.instructions
    return kept


def read(file: Path, triton: str) -> Figures:
    """The kept figures; none where they are of another compiler."""
    if not file.exists():
        return {}
    content = json.loads(file.read_text("utf-8"))
    loops: Figures = content["loops"] if content["triton"] == triton else {}
    return loops


def keep(file: Path, triton: str, compared: list[Compared]) -> None:
    """Write today's figures; those of loops that were not compiled stay."""
    loops = {**read(file, triton), **figures(compared)}
    content = {"triton": triton, "loops": dict(sorted(loops.items()))}
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
