"""Arms with planted scores, and measurements with planted figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tunebench.analysis.claims import CLAIMS, DRAWBACKS, Checked, Evidence, check
from tunebench.analysis.claims.evidence import Arm, Condition
from tunebench.records import Latency, Measurement

from tests.analysis.verdict.made_up import cell, task

RATES = {"full": 3e-4, "p_tuning_v2": 3e-2, "prompt": 1e-2, "lora": 3e-3}
CLAIM_OF = {claim.name: claim for claim in (*CLAIMS, *DRAWBACKS)}


def condition(examples: int = 1000, epochs: int = 2) -> Condition:
    return Condition("made-up", examples, epochs, "{}")


def arm(
    method: str,
    share: float,
    pins: Mapping[str, Any] | None = None,
    seeds: int = 5,
    tests: int = 1000,
    under: Condition | None = None,
    ratios: Sequence[tuple[float, float]] = (),
    **record: Any,
) -> Arm:
    """A method that answers this share of examples right, the easy ones first, give or take noise.

    Args:
        ratios: For each seed the latency ratio in batches of 1 and of 32.
    """
    pins = pins or {}
    generator = np.random.default_rng(0)
    hard = generator.random(tests)
    noise = 0.1 * (np.random.default_rng(len(method)).random((seeds, tests)) - 0.5)
    labels = np.arange(tests) % 2
    settings = {"lr": RATES.get(method, 1e-3), **pins}
    cells = []
    for seed in range(seeds):
        answers = np.where(hard + noise[seed] < share, labels, 1 - labels)
        latency = tuple(
            Latency(batch, 24, 1.0, 1.0, ratio, 50)
            for batch, ratio in zip((1, 32), ratios[seed] if ratios else (), strict=False)
        )
        made = cell(method, seed, task(["accuracy"]), labels.tolist(), answers.tolist())
        changed = {"hyperparameters": {**settings}, "latency": latency, "train_seconds": 10.0}
        name = f"{method}-{sorted(pins.items())}-{under}-{seed}"
        result = replace(made.result, cell=name, **{**changed, **record})
        cells.append(replace(made, result=result))
    return Arm(method, under or condition(), pins, tuple(cells))


def measurement(kind: str, method: str, **figures: Any) -> Measurement:
    """Numbers are values, lists are rounds."""
    rounds = {k.replace("_", " "): tuple(v) for k, v in figures.items() if isinstance(v, list)}
    values = {k: float(v) for k, v in figures.items() if not isinstance(v, list)}
    return Measurement(f"{kind}-{method}", kind, method, values, rounds)


def finding(name: str, *evidence: Arm | Measurement) -> Checked:
    """What the arms and measurements say of a claim."""
    arms = tuple(one for one in evidence if isinstance(one, Arm))
    measured = tuple(one for one in evidence if isinstance(one, Measurement))
    return check(CLAIM_OF[name], Evidence(arms, measured))
