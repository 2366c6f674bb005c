"""Studies whose true differences are known: answers drawn from a latent scale.

    method m answers example i right at seed s where
    level_m + item_i + item_mi + seed_ms + noise_msi > 0

with independent normal terms. Items make examples hard for all methods alike, `items_of_method`
makes them hard for one of them at every seed, `seeds` makes a whole seed good or bad, and the
noise is what a seed does on one example.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from tunebench.analysis.verdict import confusion

Floats = NDArray[np.float64]
Draws = NDArray[Any]

POSITIVE = 0.69
"""Share of the second class among CoLA's labels."""
BATCH = 250
"""Studies drawn at once, for the memory they take."""


@dataclass(frozen=True)
class Design:
    """Standard deviations on the latent scale, and what the methods' levels are."""

    seeds: float
    items: float = 1.0
    items_of_method: float = 0.5
    noise: float = 0.4
    level: float = 1.0
    """Of the first method, in standard deviations of all but the seeds: 1 is 84 % right."""
    gap: float = 0.0
    """How much higher the second one's is."""

    @property
    def spread(self) -> float:
        """The standard deviation of everything but the seed."""
        return float(np.sqrt(self.items**2 + self.items_of_method**2 + self.noise**2))

    def levels(self, methods: int = 2) -> Floats:
        """The latent levels of the methods: all but the first are `gap` higher."""
        higher = (np.arange(methods) > 0).astype(np.float64)
        return self.spread * (self.level + self.gap * higher)

    def accuracy(self, level: float) -> float:
        """The chance of a right answer at a latent level."""
        return float(ndtr(level / np.hypot(self.spread, self.seeds)))

    def mcc(self, level: float) -> float:
        """The mean over seeds of MCC on infinitely many examples, where all classes are as hard."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(61)
        right = ndtr((level + self.seeds * nodes) / self.spread)
        hits = np.stack(((1 - POSITIVE) * right, POSITIVE * right), -1)
        labels = np.broadcast_to([1 - POSITIVE, POSITIVE], hits.shape)
        answers = hits + (labels - hits)[..., ::-1]
        values = confusion.mcc(confusion.Counts(hits, np.array(labels), answers))
        return float((weights * values).sum() / weights.sum())


def right_answers(
    design: Design,
    generator: np.random.Generator,
    studies: int,
    seeds: int,
    examples: int,
    levels: Floats | None = None,
) -> Draws:
    """Whether each answer is right (methods studies S N), of methods with these latent levels."""

    def normal(*shape: int) -> Draws:
        return generator.standard_normal(shape, dtype=np.float32)

    items = design.items * normal(studies, 1, examples)
    right = []
    for level in design.levels() if levels is None else levels:
        fixed = np.float32(level) + items
        fixed = fixed + design.items_of_method * normal(studies, 1, examples)
        value = fixed + design.seeds * normal(studies, seeds, 1)
        right.append(value + design.noise * normal(studies, seeds, examples) > 0)
    return np.stack(right)


def mcc_pseudo_values(right: Draws, positive: Draws) -> tuple[Floats, Floats]:
    """MCC (... S) and its pseudo-values (... S N), as `pseudo_values` computes one cell's.

    Args:
        right: Whether answers are right (... S N).
        positive: Whether labels are the second class, (... 1 N).
    """
    n = right.shape[-1]
    kind = 2 * np.broadcast_to(positive, right.shape) + right
    table = np.stack([(kind == k).sum(-1) for k in range(4)], -1).astype(float)

    def mcc(kinds: Floats) -> Floats:
        """From counts of (negative wrong, negative right, positive wrong, positive right)."""
        hits = kinds[..., [1, 3]]
        labels = np.stack((kinds[..., :2].sum(-1), kinds[..., 2:].sum(-1)), -1)
        answers = hits + kinds[..., [2, 0]]
        value: Floats = confusion.mcc(confusion.Counts(hits, labels, answers))
        return value

    score = mcc(table)
    without = np.stack([mcc(np.maximum(table - np.eye(4)[k], 0.0)) for k in range(4)], -1)
    pseudo = n * score[..., None] - (n - 1) * np.take_along_axis(without, kind, -1)
    return score, pseudo


def differences(
    design: Design, metric: str, studies: int, seeds: int, examples: int, start: int
) -> Iterator[tuple[Floats, Floats]]:
    """Batches of studies: differences of scores (k), and of pseudo-values (k S N)."""
    generator = np.random.default_rng(start)
    for first in range(0, studies, BATCH):
        count = min(BATCH, studies - first)
        right = right_answers(design, generator, count, seeds, examples)
        if metric == "accuracy":
            d = right[1].astype(float) - right[0]
            yield d.mean((-2, -1)), d
        else:
            labels = generator.random((count, 1, examples)) < POSITIVE
            (one, of_one), (two, of_two) = (mcc_pseudo_values(each, labels) for each in right)
            yield (two - one).mean(-1), of_two - of_one


def truth(design: Design, metric: str) -> float:
    """The difference of the two methods' expected scores."""
    score = design.accuracy if metric == "accuracy" else design.mcc
    one, two = design.levels()
    return score(two) - score(one)
