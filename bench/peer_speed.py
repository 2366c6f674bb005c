"""Speed beside PEFT: training steps and forward passes in turn, as a ratio with its spread.

Both sides run in this process on the same batches, one right after the other, the one that goes
first changing each time. A pair gives one ratio of times; the figure is the median of the ratios
with its distribution-free 95 % interval (order statistics, as of the sign test). A ratio whose
interval is wider than the stated share of it is refused. Padding is the peer's, done before the
clock starts, as a loader's worker would do it.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from peer_sides import Sides, padded
from peer_training import Learner, Material, passing
from peer_ways import WAYS

ORDERS = ("random", "grouped")
WARM_UP, LEAST, MOST = 2, 9, 200
"""Pairs that are run and not counted; counted ones, at least and at most."""
HORIZON = 10_000
"""Steps of the schedule, so that it never ends while time is taken."""

Run = Callable[[Any], object]


def race(ours: Run, peer: Run, inputs: Sequence[tuple[Any, Any]], **limits: float) -> list[float]:
    """Our time over peer for each pair of inputs, A B B A A B …, until steady or out of time.

    Args:
        ours: Takes the first of a pair.
        peer: Takes the second.
        inputs: Packed and padded, of the same rows; begun again when they end.
        **limits: `spread`, the interval's width over the median that is narrow enough, and
            `seconds`, after which it stops anyway.
    """
    ratios: list[float] = []
    pairs = enumerate(itertools.cycle(inputs))
    end = time.perf_counter() + limits["seconds"]
    while len(ratios) < MOST:
        pair_number, (packed, wide) = next(pairs)
        calls = [(ours, packed), (peer, wide)]
        took = {call: timed(call, batch) for call, batch in calls[:: 1 if pair_number % 2 else -1]}
        if pair_number < WARM_UP:
            continue
        ratios.append(took[ours] / took[peer])
        enough = len(ratios) >= LEAST
        if enough and (width(ratios) <= limits["spread"] or time.perf_counter() > end):
            break
    return ratios


def timed(call: Run, batch: Any) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    call(batch)
    return time.perf_counter() - begin


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median: from the k-th smallest to the k-th largest."""
    count, tail, k = len(ratios), 0.0, 0
    while tail + math.comb(count, k) / 2**count <= 0.025:
        tail += math.comb(count, k) / 2**count
        k += 1
    ordered = sorted(ratios)
    return ordered[max(0, k - 1)], ordered[-max(1, k)]


def width(ratios: Sequence[float]) -> float:
    """The interval's width over the median."""
    low, high = interval(ratios)
    return (high - low) / statistics.median(ratios)


def points(
    sides: Sides, material: Material, methods: Sequence[str], *, spread: float, seconds: float
) -> Iterator[dict[str, Any]]:
    """Each method in each order: its training step, then its forward pass."""
    for method, order in itertools.product(methods, ORDERS):
        inputs = drawn(material, order)
        ours, peer = (
            sides.build(side, WAYS[method], 0, **material.settings) for side in ("ours", "peft")
        )
        steps = [Learner(classifier, HORIZON).step for classifier in (ours, peer)]
        for part, calls in (("step", steps), ("forward", [forward(ours), forward(peer)])):
            training = part == "step"
            ours.train(training)
            peer.train(training)
            ratios = race(*calls, inputs, spread=spread, seconds=seconds)
            named = {"method": method, "order": order, "part": part}
            yield named | summarised(ratios, spread) | {"padding": padding(inputs)}


def drawn(material: Material, order: str) -> list[tuple[Any, dict[str, torch.Tensor]]]:
    """The full batches of one pass in random order, packed and padded; labels on both."""
    batches, pairs = material.batches, []
    passes = passing(material.lengths, order, 0, 0)
    generator = torch.Generator().manual_seed(0)
    for place in torch.randperm(len(passes), generator=generator).tolist():
        if len(passes[place]) == len(passes[0]):
            batch = batches.batch(passes[place])
            pairs.append((batch, {**padded(batch), "labels": batch.labels}))
    return pairs


def forward(classifier: Any) -> Run:
    """Logits of a batch, packed or padded, with nothing learned."""

    @torch.inference_mode()
    def run(batch: Any) -> object:
        if not isinstance(batch, dict):
            return classifier.logits(batch)
        return classifier(**{key: value for key, value in batch.items() if key != "labels"})

    return run


def padding(inputs: Sequence[tuple[Any, Any]]) -> float:
    """The share of the peer's positions that hold no token."""
    positions = sum(wide["input_ids"].numel() for _, wide in inputs)
    return 1 - sum(len(batch.ids) for batch, _ in inputs) / positions


def summarised(ratios: Sequence[float], spread: float) -> dict[str, Any]:
    """The ratio with its interval, or none where the interval is too wide."""
    relative_width, restless = width(ratios), width(ratios) > spread
    return {
        "ratio": None if restless else statistics.median(ratios),
        "interval": None if restless else interval(ratios),
        "spread": relative_width,
        "pairs": len(ratios),
    }


def line(point: dict[str, Any], spread: float) -> str:
    """A point as a row of the table."""
    if point["ratio"] is None:
        figure = f"restless: spread {point['spread']:.2f} over {spread:.2f} | –"
    else:
        figure = f"{point['ratio']:.2f} | {point['interval'][0]:.2f} – {point['interval'][1]:.2f}"
    names = " | ".join(point[key].replace("_", "\\_") for key in ("method", "order", "part"))
    return f"| {names} | {figure} | {point['pairs']} | {point['padding']:.0%} |"


HEADER = (
    "| method | order | part | ours / PEFT | 95 % interval | pairs | peer's padding |\n"
    "| --- | --- | --- | ---: | ---: | ---: | ---: |"
)
