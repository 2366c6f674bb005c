"""A claim about where a prompt starts: C17."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .claim import Claim, Part, part
from .evidence import Arm, Evidence

SOURCE = "init_from"


def transfers(evidence: Evidence) -> Iterator[Part | str]:
    """A prompt that began at a trained one, less a fresh one of the same condition."""
    fresh: dict[Any, Arm] = {}
    for arm in evidence.of("prompt"):
        if not arm.pins.get(SOURCE):
            fresh.setdefault(_but_for_source(arm), arm)
    for arm in evidence.of("prompt"):
        beside = fresh.get(_but_for_source(arm))
        if arm.pins.get(SOURCE) and beside is not None:
            source = Path(str(arm.setting(SOURCE))).stem
            what = f"prompt from {source} less a fresh one on {arm.condition.task}"
            yield part(what, (1, arm), (-1, beside), above=0.0)


def _but_for_source(arm: Arm) -> Any:
    """What two arms must share to be compared."""
    others = {key: value for key, value in arm.pins.items() if key != SOURCE}
    return arm.condition, json.dumps(others, sort_keys=True, default=str)


CLAIMS = (
    Claim(
        "C17",
        "A prompt that starts from one trained on another task scores more than a fresh one, for "
        "the same training on its own task.",
        "Vu et al. 2022 (SPoT), arXiv:2110.07904",
        "prompt twice on a task: from a fresh start, and with init_from",
        transfers,
    ),
)
