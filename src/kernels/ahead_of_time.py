"""Compiling a kernel ahead of time, for a GPU that is not there, and reading what came out.

The compiler's own report tells registers and spilled bytes, the assembly how many instructions use
the tensor cores and how wide memory is read, the machine code how long the main loops are. Beside
each kernel stands a plain dense loop of the same tile, to which its loops are compared.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import tempfile
from dataclasses import dataclass, replace
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from . import (
    flash,
    flash_decode,
    flash_forward,
    flash_keys,
    flash_prefix,
    flash_queries,
    plain_loops,
    rotary,
)
from .assembly import Facts, read_amd, read_nvidia
from .launch import BRIEF, SHARED_LIMITS, TABLE, Launch, widen
from .machine_code import Loop, main_loops

TARGETS = {
    "sm_80": GPUTarget("cuda", 80, 32),
    "sm_90": GPUTarget("cuda", 90, 32),
    "gfx942": GPUTarget("hip", "gfx942", 64),
}
FUNCTIONS = {
    "forward": flash_forward.flash_forward,
    "keys": flash_keys.flash_keys,
    "queries": flash_queries.flash_queries,
    "prefix": flash_prefix.flash_prefix,
    "decode": flash_decode.flash_decode,
    "delta": flash_queries.flash_delta,
    "combine": flash_decode.flash_combine,
    "rotate": rotary.rotary,
}
PLAIN = {
    "forward": plain_loops.plain_forward,
    "keys": plain_loops.plain_keys,
    "queries": plain_loops.plain_queries,
    "prefix": plain_loops.plain_keys,
}
BITS = {"bf16": 16, "fp16": 16, "fp32": 32}
WHOLE = {"cu_seqlens_q": "*i32", "cu_seqlens_k": "*i32", "starts": "*i32", "lengths": "*i32"}
SINGLE = {"logsum", "logsums", "delta", "parts", "cos", "sin"}
DATA = {
    "q", "k", "v", "prefix_k", "prefix_v", "out", "grad", "dq", "dk", "dv",
    "rotated_q", "rotated_k",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One kernel to compile: for what, and with which masks."""

    arch: str
    kernel: str
    head: int
    dtype: str
    causal: bool = True
    window: bool = False
    prefix: bool = True
    interleaved: bool = False
    short: bool = False
    """With the row for short sequences."""
    plain: bool = False
    """Not the kernel, but the plain dense loop of the same tile."""

    @property
    def wide_enough(self) -> bool:
        """Whether Hopper's warp groups fit: they take 64 rows; tokens, short texts have fewer."""
        return self.kernel != "decode" and not self.short

    @property
    def launch(self) -> Launch:
        """Its row of the table; the combining kernel shares that of the split one."""
        kernel = "decode" if self.kernel == "combine" else self.kernel
        key = (self.arch, kernel, widen(self.head), BITS[self.dtype])
        return BRIEF[key] if self.short else TABLE[key]

    @property
    def main_loops(self) -> tuple[str, ...]:
        """What its main loops are for, in the order of the code; each is described in `flash_*`."""
        if self.plain:
            return ("plain",)
        sequence = ("masked",) if self.window else ("whole", "masked")
        match self.kernel:
            case "forward" | "queries":
                return ("prefix whole", "prefix rest", *sequence) if self.prefix else sequence
            case "keys":
                return sequence[::-1]
            case "prefix":
                return ("masked", "whole")
            case _:
                return ()


def constants(job: Job) -> dict[str, Any]:
    """The constants that the launching code would pass."""
    launch = job.launch
    tiles = flash.tile_constants(job.head, launch)
    masks = flash.mask_constants(job.causal, 64 if job.window else -1)
    if job.plain:
        return dict(tiles)
    match job.kernel:
        case "forward" | "queries":
            return {**tiles, **masks, "PREFIX": job.prefix}
        case "keys":
            return {**tiles, **masks}
        case "prefix":
            return dict(tiles)
        case "decode":
            return {**flash_decode.decode_constants(job.head, 4, launch), "PREFIX": job.prefix}
        case "delta":
            return dict(flash.delta_constants(job.head, launch))
        case "combine":
            return {"SPLITS": flash_decode.SPLITS, "HEAD": job.head, "WIDE": widen(job.head)}
        case _:
            return dict(
                rotary.rotary_constants(
                    job.head, job.head // 2, job.interleaved, job.causal, job.window, launch
                )
            )


def argument_type(job: Job, name: str) -> str:
    """The type of a kernel's argument, which follows from its name."""
    if name in WHOLE:
        return WHOLE[name]
    if name == "places":
        return "*i32" if job.window else "*i64"
    if name in SINGLE or (job.kernel == "prefix" and name in {"dk", "dv"}):
        return "*fp32"
    if name in DATA:
        return f"*{job.dtype}"
    return "fp32" if name == "scale" else "i32"


def source(job: Job) -> ASTSource:
    """The kernel with the types and alignments of a real launch: pointers and strides by 16."""
    function = (PLAIN if job.plain else FUNCTIONS)[job.kernel]
    fixed = constants(job)
    signature = {
        name: "constexpr" if name in fixed else argument_type(job, name)
        for name in function.arg_names
    }
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, (name, kind) in enumerate(signature.items())
        if kind.startswith("*") or name.startswith("stride_")
    }
    return ASTSource(fn=function, signature=signature, constexprs=fixed, attrs=aligned)


def compile_job(job: Job) -> Facts:
    """Compile one kernel anew and read registers, spills and instructions from the result."""
    report = io.StringIO()
    with triton.knobs.nvidia.scope(), triton.knobs.compilation.scope():
        triton.knobs.nvidia.dump_ptxas_log = True
        triton.knobs.compilation.always_compile = True
        with contextlib.redirect_stdout(report):
            made = triton.compile(source(job), target=TARGETS[job.arch], options=job.launch.options)
    if job.arch.startswith("gfx"):
        return read_amd(made.asm["amdgcn"], made.metadata.shared)
    matrix = r"\bwgmma\.mma_async" if job.arch == "sm_90" and job.wide_enough else r"\bmma\.sync"
    facts = read_nvidia(report.getvalue(), made.asm["ptx"], made.metadata.shared, matrix)
    return replace(facts, loops=loops_of(made.asm["cubin"]))


def loops_of(cubin: bytes) -> tuple[Loop, ...]:
    """The main loops of one kernel's machine code, by the disassembler that triton ships."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [triton.knobs.nvidia.nvdisasm.path, "-c", file.name]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tuple(main_loops(printed))


def broken_laws(job: Job, facts: Facts) -> list[str]:
    """What a compiled kernel does not keep to, as sentences; empty where all is well."""
    broken = []
    if facts.spilled:
        broken.append(f"`spilled bytes == 0` must hold, but got {facts.spilled}")
    if facts.shared > SHARED_LIMITS[job.arch]:
        broken.append(
            f"`shared memory <= {SHARED_LIMITS[job.arch]}` must hold, but got {facts.shared}"
        )
    multiplies = job.kernel in {"forward", "keys", "queries", "prefix", "decode"}
    if multiplies and BITS[job.dtype] == 16 and not facts.matrix:
        broken.append("a 16-bit attention kernel must use the matrix units, but got none")
    wide = facts.wide_loads and facts.stores == facts.wide_stores > 0
    if job.kernel == "rotate" and not job.interleaved and job.head % 64 == 0 and not wide:
        broken.append("the rotation must move 128 bits at a time, but got narrower loads or stores")
    return broken
