"""Time of a generated token against the text's length, with the KV-cache and without.

    python bench/bench_generate.py [--out runs/generate] [--quick] [--whole 256]

Both ways run in this process by turns, on the same tokens, and must agree before they are timed.
Writes generate.json and generate.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from statistics import median, quantiles

import torch
from bench_plots import plot_generation
from torch import Tensor, nn
from tunebench import Checkpoint
from tunebench.backbone.generate import generate
from tunebench.backbone.model import Backbone

WAYS = {"cache": True, "no cache": False}
PIECE = 8
"""Tokens that are timed at each length."""


class Clock(nn.Module):
    """A language head that notes when each token's logits were there."""

    def __init__(self, head: nn.Module, device: torch.device) -> None:
        """Nothing is noted yet."""
        super().__init__()
        self.head, self.device = head, device
        self.times: list[float] = []

    def forward(self, states: Tensor) -> Tensor:
        """The head's logits."""
        logits: Tensor = self.head(states)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(time.perf_counter())
        return logits


def steps(
    backbone: Backbone, head: nn.Module, prompt: list[int], tokens: int, cached: bool
) -> tuple[list[int], list[float]]:
    """The new tokens, and the milliseconds of each but the first, which reads the prompt."""
    clock = Clock(head, backbone.embedding.weight.device)
    (continuation,) = generate(backbone, clock, [prompt], tokens=tokens, cached=cached)
    pairs = zip(clock.times, clock.times[1:], strict=False)
    return continuation, [1000 * (after - before) for before, after in pairs]


def at_length(backbone: Backbone, head: nn.Module, length: int, rounds: int) -> dict[str, object]:
    """Milliseconds of a token after so many: median, 20th and 80th percentile of each way."""
    prompt = drawn(backbone, length)
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for round_number in range(rounds + 1):
        texts = {}
        for name, cached in WAYS.items():
            texts[name], took = steps(backbone, head, prompt, PIECE + 1, cached)
            if round_number:  # the first turn warms up
                times[name] += took
        if texts["cache"] != texts["no cache"]:
            raise SystemExit(f"length {length}: with the cache {texts}; nothing is reported")
    return {"length": length, "ms": {name: spread(took) for name, took in times.items()}}


def drawn(backbone: Backbone, length: int) -> list[int]:
    """A prompt of random tokens."""
    generator = torch.Generator().manual_seed(length)
    return torch.randint(backbone.cfg.vocabulary, (length,), generator=generator).tolist()


def spread(took: list[float]) -> list[float]:
    """Median, 20th and 80th percentile."""
    fifths = quantiles(took, n=5)
    return [median(took), fifths[0], fifths[-1]]


def whole(backbone: Backbone, head: nn.Module, tokens: int) -> dict[str, object]:
    """Seconds of so many tokens after a short prompt, the cached way before and after."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    prompt = drawn(backbone, 4)
    for name in ("cache", "no cache", "cache"):
        begin = time.perf_counter()
        generate(backbone, head, [prompt], tokens=tokens, cached=WAYS[name])
        seconds[name].append(time.perf_counter() - begin)
    return {
        "tokens": tokens,
        "seconds": seconds,
        "share": median(seconds["cache"]) / median(seconds["no cache"]),
    }


def machine(backbone: Backbone) -> dict[str, object]:
    """What the numbers were taken on."""
    return {
        "device": str(backbone.embedding.weight.device),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("runs/generate"))
    parser.add_argument("--backbone", default="smollm2")
    parser.add_argument("--quick", action="store_true", help="two short lengths, one round")
    parser.add_argument("--whole", type=int, default=256, help="tokens of a whole text; 0: none")
    arguments = parser.parse_args()
    checkpoint = Checkpoint.open(arguments.backbone)
    backbone = checkpoint.load_backbone()
    head = checkpoint.load_language_head(backbone)
    if torch.cuda.is_available():
        backbone, head = backbone.cuda(), head.cuda()
    rows = []
    for length in (16, 48) if arguments.quick else (16, 64, 128, 256, 512):
        rows.append(at_length(backbone, head, length, 1 if arguments.quick else 3))
        print(rows[-1], flush=True)
    results = {"machine": machine(backbone), "backbone": arguments.backbone, "rows": rows}
    if arguments.whole:
        results["whole"] = whole(backbone, head, arguments.whole)
        print(results["whole"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "generate.json").write_text(json.dumps(results, indent=1))
    plot_generation(rows, arguments.out / "generate.svg")


if __name__ == "__main__":
    main()
