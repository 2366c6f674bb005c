"""Claims that set methods beside each other: C1, C2, C3."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .claim import Claim, Part, part
from .evidence import Evidence

IN_LAYERS = ("full", "lora", "adapter", "bitfit", "prefix", "p_tuning_v2")
"""Methods that change what the layers compute, and not only what they read."""
OF_PROMPTS = ("prompt", "p_tuning", "prefix", "p_tuning_v2")
BADLY = 0.04
"""About half of the 0.089 that the source's smallest gap has."""
HIGH_RATE = 10.0
"""From so many times full fine-tuning's rate on, a rate counts as high; up to twice as equal."""


def trails(evidence: Evidence) -> Iterator[Part | str]:
    """Every method inside the layers less prompt tuning."""
    for condition, arms in evidence.conditions("prompt"):
        for method in IN_LAYERS:
            if method in arms:
                what = f"{method} less prompt on {condition.task}"
                yield part(what, (1, arms[method]), (-1, arms["prompt"]), above=BADLY)


def closes_most(evidence: Evidence) -> Iterator[Part | str]:
    """A method that trains keys and values, less the middle between prompt and full fine-tuning."""
    for condition, arms in evidence.conditions("prompt", "full"):
        full, prompt = arms["full"], arms["prompt"]
        tried = [method for method in ("p_tuning_v2", "prefix") if method in arms]
        if tried:
            what = f"the gap that is to be closed, full less prompt on {condition.task}"
            # Without a gap there is nothing to close, which contradicts nothing.
            yield part(what, (1, full), (-1, prompt), above=0.0, fails_below=-math.inf)
        for method in tried:
            what = f"{method} less the middle of full and prompt on {condition.task}"
            yield part(what, (1, arms[method]), (-0.5, full), (-0.5, prompt), above=0.0)


def needs_a_high_rate(evidence: Evidence) -> Iterator[Part | str]:
    """A prompt method at a high rate less the same at full fine-tuning's own."""
    usual = {
        condition: rate
        for condition, arms in evidence.conditions("full")
        if isinstance(rate := arms["full"].setting("lr"), float) and rate > 0
    }
    for method in OF_PROMPTS:
        for group in evidence.variants(method, "lr"):
            condition = next(iter(group.values())).condition
            rate = usual.get(condition, math.inf)
            equal = [lr for lr in group if rate / 2 <= lr <= 2 * rate]
            high = [lr for lr in group if lr >= HIGH_RATE * rate]
            if not equal or not high:
                continue
            # The better of two high rates is the one with the better validation rows.
            best = max(high, key=lambda lr: group[lr].first.validation_score or 0.0)
            low = max(equal, key=lambda lr: group[lr].first.validation_score or 0.0)
            what = f"{method} at rate {best:g} less at {low:g} on {condition.task}"
            yield part(what, (1, group[best]), (-1, group[low]), above=0.0)


CLAIMS = (
    Claim(
        "C1",
        "On backbones of less than a billion weights, prompt tuning is at least 4 points behind "
        "every method that works inside the layers.",
        "Ding et al. 2023 (Delta tuning), table 2; Liu et al. 2022 (P-tuning v2); "
        "Lester et al. 2021",
        f"prompt beside one of {', '.join(IN_LAYERS)}",
        trails,
    ),
    Claim(
        "C2",
        "Where prompt tuning is behind full fine-tuning, P-tuning v2 and prefix tuning close more "
        "than half of the gap on an encoder.",
        "Liu et al. 2022 (P-tuning v2); Chen et al. 2022",
        "full, prompt, and p_tuning_v2 or prefix",
        closes_most,
    ),
    Claim(
        "C3",
        "Prompts and prefixes need a rate of ten times full fine-tuning's or more: at its own they "
        "score less.",
        "published scripts of P-tuning v2 and of PEFT's method comparison",
        "full, and a method of prompts or prefixes at full's rate and at ten times that or more",
        needs_a_high_rate,
    ),
)
