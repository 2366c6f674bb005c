"""The ratio of two latencies with its interval, from passes that were timed in turn.

    round     ours, base, base, ours: r = (ln o1 + ln o2 - ln b1 - ln b2) / 2
    block     neighbouring rounds; its value is the median of their r
    ratio     exp of the mean over the blocks; interval: Student's t of the block values

What drifts linearly within a round cancels in r, as does what the first of two passes has over the
second. The noise of a machine is correlated in time (a process that starts slows hundreds of passes
in a row), so that rounds are no independent draws; means of long enough blocks nearly are (batch
means, as in simulation: Law & Kelton, "Simulation Modeling and Analysis", §9.5.3). The median
within a block leaves out single passes that were interrupted.

An interval that is looked at until it is narrow is too narrow: whoever stops then has had luck with
the spread. So at least `LEAST` rounds come first, looks are few, and each takes the interval of
`LEVEL`. tests/measure/test_ratio.py draws noise of several kinds: 95 % of the intervals at the end
hold the truth, or more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, stdtrit

BLOCKS = 16
LEAST = 32
"""Rounds before which an interval is not trusted to be narrow."""
FEWEST = 5
"""Rounds below which an interval is of little use."""
LEVEL = 0.97
"""Of the interval at each look."""
SPREAD, EXTREME = 0.10, 0.50
"""Values of blocks that are unsteady: their standard deviation by their mean, or how far one of
them is from it. pyperf warns of the same two (`pyperf check`)."""
CONFIDENCE = 0.99

Numbers = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Round:
    """Seconds of four passes, in the order in which they ran."""

    ours: float
    base: float
    base_again: float
    ours_again: float

    @property
    def mine(self) -> tuple[float, float]:
        """The two passes of ours."""
        return self.ours, self.ours_again

    @property
    def log_ratio(self) -> float:
        """Ours by the base, as a logarithm."""
        mine = math.log(self.ours) + math.log(self.ours_again)
        return (mine - math.log(self.base) - math.log(self.base_again)) / 2


@dataclass(frozen=True)
class Interval:
    """A ratio, and the two ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the ratio: 0.02 is ± 2 %."""
        return math.log(self.high / self.low) / 2


@dataclass(frozen=True)
class Timing:
    """What rounds say of two passes; what the machine was too unsteady for, or too few for, lacks.

    Milliseconds need a machine that stays as fast as it is; a ratio needs less, since both sides
    are slowed alike.
    """

    rounds: int
    ratio: Interval | None
    p50_ms: float | None
    base_p50_ms: float | None
    p95_ms: float | None = None
    """None below `least_repeats(0.95)` passes."""
    p99_ms: float | None = None
    half_width: float = 0.0
    """Of the p50's 95 % interval, relative to it: how many of its digits mean something."""
    spread: float = 0.0
    """Of the ratio's blocks: their standard deviation by their mean."""


def blocks(values: Numbers) -> np.ndarray:
    """The median of each block of neighbours; with few values each is a block."""
    parts = np.array_split(np.asarray(values, float), min(len(values), BLOCKS))
    return np.array([np.median(part) for part in parts])


def interval(log_ratios: Numbers) -> Interval:
    """The ratio and its interval from at least two rounds, or passes against one unit."""
    middle = blocks(log_ratios)
    degrees = len(middle) - 1
    half = stdtrit(degrees, (1 + LEVEL) / 2) * middle.std(ddof=1) / math.sqrt(len(middle))
    center = middle.mean()
    return Interval(math.exp(center), math.exp(center - half), math.exp(center + half))


def spread_of(middle: np.ndarray) -> float:
    """Standard deviation of positive values, by their mean."""
    return float(middle.std(ddof=1) / middle.mean())


def is_noisy(middle: np.ndarray) -> bool:
    """Whether these values of blocks are too unsteady to stand for a number."""
    mean = middle.mean()
    furthest = float(np.abs(middle - mean).max() / mean)
    return spread_of(middle) >= SPREAD or furthest >= EXTREME


def least_repeats(percentile: float) -> int:
    """Passes from which on a percentile is stated: 64 for p90, 130 for p95, 662 for p99.

    The fewest n of which, with 99 % confidence, two or more lie beyond the percentile: those of
    MLPerf's early stopping, with one pass left over (Inference Rules, appendix "Early stopping").
    """
    n = 2
    while bdtr(1, n, 1 - percentile) > 1 - CONFIDENCE:
        n += 1
    return n


def percentile_ms(seconds: Sequence[float], percentile: float) -> float | None:
    """A high percentile in milliseconds; none where there are too few passes."""
    if len(seconds) < least_repeats(percentile):
        return None
    return 1000 * float(np.quantile(np.asarray(seconds), percentile))


def timing(rounds: Sequence[Round]) -> Timing:
    """What these rounds say.

    Args:
        rounds: In the order in which they ran; from fewer than `FEWEST` an interval is very wide.
    """
    ratios = blocks([each.log_ratio for each in rounds])
    ours = [x for each in rounds for x in each.mine]
    base = [x for each in rounds for x in (each.base, each.base_again)]
    steady = not any(is_noisy(blocks(side)) for side in (ours, base))
    return Timing(
        rounds=len(rounds),
        ratio=None if is_noisy(np.exp(ratios)) else interval([r.log_ratio for r in rounds]),
        p50_ms=1000 * float(np.median(ours)) if steady else None,
        base_p50_ms=1000 * float(np.median(base)) if steady else None,
        p95_ms=percentile_ms(ours, 0.95) if steady else None,
        p99_ms=percentile_ms(ours, 0.99) if steady else None,
        half_width=interval(np.log(ours)).half_width,
        spread=spread_of(np.exp(ratios)),
    )


def next_look(rounds: int) -> int:
    """After how many rounds the interval is looked at again: half as many more."""
    return max(LEAST, math.ceil(1.5 * rounds))
