"""Claims about what a network computes before it is trained, and after it is merged: C14, C16."""

from __future__ import annotations

from collections.abc import Iterator

from .claim import Claim, Part
from .costs import MEASURED
from .estimate import count
from .evidence import Evidence

ZERO_PREFIX = "zero prefix"
SAME = 1e-5
"""Relative to the largest value: what fp32 rounds in a dozen layers."""
DIFFERENT = 1e-3
SLIGHT = 0.1
"""Relative: bf16 keeps three digits at best, and a dozen layers lose some."""


def identity_at_start(evidence: Evidence) -> Iterator[Part | str]:
    """By how much an untrained method changes the base model's states."""
    started = evidence.measured("start")
    # Either half alone is not what is claimed.
    if {one.method == ZERO_PREFIX for one in started} != {True, False}:
        return
    for one in started:
        change = count(one.values["change"], (one.name,))
        what = f"{one.method}: largest relative change of the states, before training"
        if one.method == ZERO_PREFIX:
            yield Part(what, change, "number", above=DIFFERENT, fails_below=SAME)
        else:
            yield Part(what, change, "number", below=SAME, fails_above=DIFFERENT)


def merges_exactly(evidence: Evidence) -> Iterator[Part | str]:
    """By how much merging changes the logits of trained cells, in fp32 and in bf16."""
    merged = evidence.measured("merge")
    if merged:
        runs = tuple(run for one in merged for run in (one.name, one.cell))
        largest = {
            precision: count(max(one.values[precision] for one in merged), runs)
            for precision in ("fp32", "bf16")
        }
        what = "largest relative change of a logit by merging, in {}"
        yield Part(
            what.format("fp32"), largest["fp32"], "number", below=SAME, fails_above=DIFFERENT
        )
        yield Part(what.format("bf16"), largest["bf16"], "number", above=SAME, below=SLIGHT)


CLAIMS = (
    Claim(
        "C14",
        "Before training, LoRA and adapters leave the network as it is; a prefix of zeros does "
        "not.",
        "issue 65 of P-tuning v2's repository",
        f"lora or adapter, and {MEASURED}",
        identity_at_start,
    ),
    Claim(
        "C16",
        "Merging LoRA changes logits slightly in bf16, and not in fp32.",
        "PEFT, issues 1388 and 2502",
        f"lora, and {MEASURED}",
        merges_exactly,
    ),
)
