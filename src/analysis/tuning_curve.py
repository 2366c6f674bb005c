"""How the best validation score grows with the number of random trials.

With the scores of m random trials in order, y_1 <= ... <= y_m, the expected best of n of them is

    U(n) = sum_i  C(i - 1, n - 1) / C(m, n)  y_i         n = 1 ... m

the mean over all subsets of n trials, which is unbiased (Tang et al. 2020, "Showing Your Work
Doesn't Always Work"). The band around it follows from one for the distribution F of a single
trial's score (Dvoretzky, Kiefer and Wolfowitz, with Massart's constant): with probability 1 - a

    |F(y) - F_m(y)| <= e        for all y,    e = sqrt(log(2 / a) / 2m)

and since the expected best of n trials is high - integral of F(y)^n over low ... high, it holds
for all n at once (Lourie et al. 2024, "Show Your Work with Confidence").
Trials that TPE, a person or a method's author chose are no random ones and do not count here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..records import Trial
from ..text import plural
from .format import score

CONFIDENCE = 0.95
LEAST_RANDOM_TRIALS = 8
"""With fewer, e is above 0.5: the band would not even say where the median trial's score lies."""
SHARES = ("accuracy", "f1", "balanced_accuracy", "macro_f1")
"""Metrics from 0 to 1; any other may be as low as -1."""
FAILED = 0.0
"""What a trial counts with that did not complete: no answer, or one by chance."""
NEAR = 0.99
"""A band that reaches so far of the way from the best score seen to the highest there can be says
nothing of how much further trials would find."""


@dataclass(frozen=True)
class TuningCurve:
    """The expected best validation score after n random trials, n = 1 ... m."""

    trials: int
    """How many random trials it rests on (m)."""
    failed: int
    """How many of them did not complete; each counts with a score of 0."""
    expected: tuple[float, ...]
    low: tuple[float, ...]
    """The lower edge of the 95 % band, which holds for all n together."""
    high: tuple[float, ...]
    limit: float
    """The highest score that there can be."""

    @property
    def readable(self) -> bool:
        """Whether there are trials enough for the band to say anything."""
        return self.trials >= LEAST_RANDOM_TRIALS

    @property
    def open_above(self) -> bool:
        """Whether the band does not say how much better the best of all these trials could be."""
        best = self.expected[-1]
        return self.high[-1] - best > NEAR * (self.limit - best)

    @property
    def summary(self) -> str:
        """What one random trial, and the best of all, are expected to reach; empty for too few."""
        if not self.readable:
            return ""
        return (
            f"A single random trial is expected to reach {self.at(1)}, the best of {self.trials} "
            f"{self.at(self.trials)}."
        )

    @property
    def caution(self) -> str:
        """Why the curve says nothing, or how far it does not reach; may be empty."""
        if not self.readable:
            return (
                f"{plural(self.trials, 'random trial')} say too little of what a search gains: "
                f"from {LEAST_RANDOM_TRIALS} on a 95 % band tells at least where the median trial "
                "lies (search.random_trials, in which the defaults count as one)."
            )
        if not self.open_above:
            return ""
        return (
            f"The bands of {self.trials} random trials end where the score does: so few do not "
            "exclude that others would be far better."
        )

    def at(self, n: int) -> str:
        """The expected best of n trials with its band, as a text."""
        i = n - 1
        band_there = f"95 % band {score(self.low[i])} to {score(self.high[i])}"
        return f"{score(self.expected[i])} ({band_there})"


def tuning_curve(trials: Sequence[Trial], metric: str, random_trials: int) -> TuningCurve | None:
    """The curve of a study; none where no trial was drawn at random.

    Args:
        trials: The study's trials.
        metric: The name of the validation score, which says how low it can be.
        random_trials: How many trials of the study did not follow what was seen, with trial 0; it
            is asked only of records that do not say where their settings came from.
    """
    drawn = [trial for trial in trials if _is_random(trial, random_trials)]
    if not drawn:
        return None
    failed = sum(trial.status != "complete" for trial in drawn)
    scores = [
        FAILED if trial.status != "complete" or trial.score is None else trial.score
        for trial in drawn
    ]
    low, high = limits(metric)
    # A score from elsewhere may lie beyond what its metric's name allows.
    low, high = min(low, *scores), max(high, *scores)
    edges = list(band(scores, low, high))
    return TuningCurve(
        len(drawn),
        failed,
        tuple(expected_best(scores)),
        tuple(lower for lower, _ in edges),
        tuple(upper for _, upper in edges),
        high,
    )


def expected_best(scores: Sequence[float]) -> Iterator[float]:
    """The expected best score of 1, 2, ... m trials, without bias (U(n) above)."""
    ordered, m = sorted(scores, reverse=True), len(scores)
    for n in range(1, m + 1):
        # From the best score down: C(i - 2, n - 1) / C(i - 1, n - 1) = (i - n) / (i - 1).
        weight, total = n / m, 0.0
        for i, value in zip(range(m, n - 1, -1), ordered, strict=False):
            total += weight * value
            weight *= (i - n) / (i - 1) if i > 1 else 0.0
        yield total


def band(
    scores: Sequence[float], low: float, high: float, confidence: float = CONFIDENCE
) -> Iterator[tuple[float, float]]:
    """Lower and upper edge of the expected best of 1, 2, ... m trials, for all of them at once.

    Args:
        scores: Of m independent trials with settings drawn alike.
        low: The lowest score that there can be.
        high: The highest.
        confidence: The chance that the whole band holds.
    """
    m = len(scores)
    half = math.sqrt(math.log(2 / (1 - confidence)) / (2 * m))
    widths = [right - left for left, right in pairwise([low, *sorted(scores), high])]
    most = [min(1.0, k / m + half) for k in range(m + 1)]
    least = [max(0.0, k / m - half) for k in range(m + 1)]
    for n in range(1, m + 1):
        yield tuple(  # type: ignore[misc]
            high - sum(width * share**n for width, share in zip(widths, shares, strict=True))
            for shares in (most, least)
        )


def limits(metric: str) -> tuple[float, float]:
    """The lowest and the highest score that a metric, or a mean of some, can have."""
    names = [name.strip() for name in metric.removeprefix("mean(").rstrip(")").split(",")]
    shares = all(name in SHARES or name.startswith("f1:") for name in names)
    return (0.0 if shares else -1.0), 1.0


def _is_random(trial: Trial, random_trials: int) -> bool:
    if trial.draw:
        return trial.draw == "random"
    return 0 < trial.number < random_trials
