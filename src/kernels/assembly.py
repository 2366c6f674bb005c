"""What a compiled kernel's assembly and its compiler's report tell of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .machine_code import Loop


@dataclass(frozen=True)
class Facts:
    """What the compiler made of it."""

    registers: int
    spilled: int
    shared: int
    matrix: int
    """Instructions that use the matrix units: mma.sync, wgmma or mfma."""
    wide_loads: int
    """Loads of 128 bits from global memory."""
    wide_stores: int
    stores: int
    """Stores to global memory of any width."""
    loops: tuple[Loop, ...] = ()
    """The main loops of an NVIDIA kernel's machine code, in its order."""


def read_nvidia(report: str, ptx: str, shared: int, matrix: str) -> Facts:
    """Facts from the report of ptxas and the PTX, whose matrix instructions match `matrix`."""
    spills = [int(n) for n in re.findall(r"(\d+) bytes spill (?:stores|loads)", report)]
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", report)]
    if not spills or not registers:
        raise RuntimeError("ptxas printed no report; its format may have changed")
    return Facts(
        registers=max(registers),
        spilled=sum(spills),
        shared=shared,
        matrix=len(re.findall(matrix, ptx)),
        wide_loads=len(re.findall(r"ld\.global[.\w:]*\.v4\.b32|ld\.global[.\w:]*\.v2\.b64", ptx)),
        wide_stores=len(re.findall(r"st\.global[.\w:]*\.v4\.b32|st\.global[.\w:]*\.v2\.b64", ptx)),
        stores=len(re.findall(r"\bst\.global", ptx)),
    )


def read_amd(code: str, shared: int) -> Facts:
    """Facts from the metadata of AMD's assembly: vector registers and their spills."""

    def number(key: str) -> int:
        match = re.search(rf"\.{key}:\s*(\d+)", code)
        if match is None:
            raise RuntimeError(f"the assembly holds no .{key}; its format may have changed")
        return int(match[1])

    return Facts(
        registers=number("vgpr_count"),
        spilled=number("vgpr_spill_count"),
        shared=shared,
        matrix=len(re.findall(r"\bv_mfma_", code)),
        wide_loads=len(re.findall(r"(?:global|buffer)_load_dwordx4", code)),
        wide_stores=len(re.findall(r"(?:global|buffer)_store_dwordx4", code)),
        stores=len(re.findall(r"\b(?:global|buffer)_store_", code)),
    )
