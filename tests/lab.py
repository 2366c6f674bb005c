"""Files of the cost lab with made-up figures."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from tunebench.analysis.lab import Costs, Lab, Latencies
from tunebench.validation import validated

DIGEST = "d1"
ORIGIN = {"backbone": "minilm", "backbone_digest": DIGEST, "device": "CPU", "versions": {"a": "1"}}


def point(
    method: str,
    form: str,
    texts: int,
    length: int | str,
    ratio: Sequence[float] | None,
    **more: Any,
) -> dict[str, Any]:
    """A point as `tunebench latency` writes it; without a ratio it was too noisy."""
    ends = None if ratio is None else dict(zip(("value", "low", "high"), ratio, strict=True))
    timing = {"rounds": 40, "ratio": ends, "p50_ms": ends and 12.0, "half_width": 0.01}
    made = {"kind": "classify", "texts": texts, "length": length, "method": method, "form": form}
    return {**made, "tokens": 8 * texts, "timing": timing, "reason": "", **more}


def method_costs(method: str, measured: int | None) -> dict[str, Any]:
    """A method's costs as `tunebench costs` writes them."""
    memory = {"weights": 100, "gradients": 10, "optimizer": 20, "activations": 300, "working": 40}
    counted = {"closed_form": 1, "by_torch": 2_000_000}
    return {
        "method": method,
        "trained": 5,
        "memory": {**memory, "measured": measured, "counted": 470},
        "training": counted,
        "serving": counted,
        "file": 3_210,
        "stored": 9,
    }


LATENCY: dict[str, Any] = {
    **ORIGIN,
    "points": [
        point("lora", "unfolded", 8, 128, (1.2, 1.1, 1.3)),
        point("lora", "folded", 8, 128, None),
        point("lora", "unfolded", 1, "texts", (0.9, 0.85, 0.95)),
        point("lora", "folded", 1, "texts", (1.0, 0.99, 1.01)),
        point("head", "either", 8, 128, (1.04, 1.03, 1.05)),
        point("head", "either", 1, "texts", (1.101, 1.099, 1.103)),
        point("head", "either", 1, "context", (2.0, 1.9, 2.1)),
        point("lora", "folded", 1, "context", None, timing=None, reason="not enough memory"),
    ],
}
COSTS: dict[str, Any] = {
    **ORIGIN,
    "texts": 16,
    "tokens": 2048,
    "energy": None,
    "costs": [method_costs("lora", 500), method_costs("head", None)],
}


def changed(content: Any, path: Sequence[str | int], value: Any) -> Any:
    """The content with another value at a path."""
    made = copy.deepcopy(content)
    place = made
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return made


def lab(latency: Any = LATENCY, costs: Any = COSTS) -> Lab:
    """Both files as they are read."""
    return Lab(validated(Latencies, latency, ".".join), validated(Costs, costs, ".".join))
