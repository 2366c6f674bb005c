"""The main loops of a kernel's machine code, found in what NVIDIA's disassembler prints.

A loop is all that lies between a place and the last branch that leads back to it; a main loop holds
matrix instructions, and no smaller loop that does. Its instructions are what a warp is given for
one tile of keys or queries, whatever the GPU: those that a predicate switches off count too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_LABEL = re.compile(r"^(\.L_\w+):")
_INSTRUCTION = re.compile(
    r"^\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?(?P<opcode>[A-Z][\w.]*)(.*?);"
)
_TARGET = re.compile(r"`\((\.L_\w+)\)")
_BRANCHES = {"BRA", "JMP"}
_MATRIX = {"HMMA", "HGMMA", "IMMA", "IGMMA", "QGMMA", "DMMA"}


@dataclass(frozen=True)
class Loop:
    """One main loop."""

    instructions: int
    matrix: int
    """Those of them that use the tensor cores."""


@dataclass(frozen=True)
class _Range:
    """Instructions `begin` … `end`, both of them included."""

    begin: int
    end: int

    def holds(self, other: _Range) -> bool:
        return self != other and self.begin <= other.begin and other.end <= self.end


def _ranges(targets: dict[int, str], places: dict[str, int]) -> list[_Range]:
    """All loops: for each place that branches lead back to, as far as the last of them."""
    ends: dict[int, int] = {}
    for branch, label in targets.items():
        begin = places[label]
        if begin <= branch:
            ends[begin] = max(branch, ends.get(begin, 0))
    return [_Range(begin, end) for begin, end in sorted(ends.items())]


def main_loops(text: str) -> list[Loop]:
    """The main loops of one kernel, in the order of the code, from what `nvdisasm -c` prints.

    Raises:
        ValueError: Where the text holds no instruction, or two main loops that overlap.
    """
    opcodes: list[str] = []
    targets: dict[int, str] = {}
    places: dict[str, int] = {}
    for line in text.splitlines():
        if label := _LABEL.match(line):
            places[label[1]] = len(opcodes)
        elif instruction := _INSTRUCTION.match(line):
            opcode = instruction["opcode"].split(".")[0]
            if opcode in _BRANCHES and (target := _TARGET.search(line)):
                targets[len(opcodes)] = target[1]
            opcodes.append(opcode)
    if not opcodes:
        raise ValueError("nvdisasm printed no instruction; its format may have changed")

    def matrix(block: _Range) -> int:
        return sum(opcode in _MATRIX for opcode in opcodes[block.begin : block.end + 1])

    blocks = [block for block in _ranges(targets, places) if matrix(block)]
    inner = [block for block in blocks if not any(block.holds(other) for other in blocks)]
    if any(before.end >= after.begin for before, after in pairwise(inner)):
        raise ValueError("two loops of the machine code overlap: which is which cannot be known")
    return [Loop(block.end - block.begin + 1, matrix(block)) for block in inner]
