"""The expected calibration error of one cell: whether what says 0.8 is right in eight of ten cases.

The error (ECE) sorts the N test examples by confidence c, the probability of the class that was
answered, into 15 bins of equal width. With r = 1 for a right answer and 0 for a wrong one, the gap
between a bin's accuracy and its confidence counts by the bin's share of the examples:

    ECE = sum over bins B of |B| / N · |mean r - mean c| = sum |S_B| / N,   S_B = sum of r - c

(Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599, §2.) The upper edge belongs to a bin.

Leaving out example i of bin B changes S_B alone. So its pseudo-value by the delete-one jackknife
(Tukey 1958), N ECE - (N - 1) ECE without i, is |S_B| - |S_B - (r_i - c_i)|.

ECE is never negative, and chance leaves gaps in any classifier. One whose probabilities are exact
has on average E|S_B| = sqrt(2 / pi · sum over B of c (1 - c)) in each bin, unless that is tiny.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..records import Result
from .predictions import PROBABILITY, PredictionReader, Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 15
ROUNDING = 1e-6
"""By how much an fp32 probability may be above 1."""
ErrorReader = Callable[[Result], float | None]
"""Gives a cell's ECE by its record; none where it has none."""


class Binned(NamedTuple):
    """A cell's test examples in their bins."""

    confidence: Floats
    """The probability of the class that was answered (N)."""
    right: Floats
    """1 where the answer is right, else 0 (N)."""
    bins: NDArray[np.intp]
    """The number of each example's bin (N)."""
    gaps: Floats
    """S_B: right answers less confidences (bins)."""

    @property
    def error(self) -> float:
        """ECE."""
        return float(abs(self.gaps).sum() / len(self.right))

    @property
    def pseudo_values(self) -> Floats:
        """What each example adds to ECE, to first order (N)."""
        gaps = self.gaps[self.bins]
        values: Floats = abs(gaps) - abs(gaps - (self.right - self.confidence))
        return values

    @property
    def by_chance(self) -> float:
        """The mean ECE of answers that are right with exactly the probabilities at hand."""
        import numpy as np

        variances = np.bincount(self.bins, weights=self.confidence * (1 - self.confidence))
        return float(math.sqrt(2 / math.pi) * np.sqrt(variances).sum() / len(self.right))


def calibration_error(predictions: Predictions) -> float | None:
    """ECE of one cell's answers; none where these have no probabilities, as `binned` says."""
    sorted_in = binned(predictions)
    return None if sorted_in is None else sorted_in.error


def remembered(read: PredictionReader) -> ErrorReader:
    """ECE by record, each file read once: for whoever asks again after every cell.

    The numbers are kept, not the answers, of which a long comparison has too many for memory.
    """
    known: dict[tuple[str, str], float | None] = {}

    def error(result: Result) -> float | None:
        key = (result.predictions, result.finished)
        if key not in known:
            predictions = read(result) if result.predictions else None
            known[key] = None if predictions is None else calibration_error(predictions)
        return known[key]

    return error


def binned(predictions: Predictions) -> Binned | None:
    """A cell's examples in their bins.

    None for fewer than two examples, for answers that are not names of classes, and where one of
    them has no probability in 0..1.
    """
    answers, columns = predictions.predictions, probabilities(predictions.more)
    if len(answers) < 2 or not all(isinstance(one, str) and one in columns for one in answers):
        return None
    import numpy as np

    numbers = {name: number for number, name in enumerate(columns)}
    try:
        table = np.array(list(columns.values()), dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if table.ndim != 2:
        return None
    confidence = table[np.array([numbers[one] for one in answers]), np.arange(len(answers))]
    if not ((confidence >= 0) & (confidence <= 1 + ROUNDING)).all():
        return None
    confidence = np.minimum(confidence, 1.0)
    right = np.array(predictions.right, dtype=np.float64)
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS).astype(np.float64)
    return Binned(confidence, right, bins, gaps)


def probabilities(columns: Mapping[str, Sequence[object]]) -> dict[str, Sequence[object]]:
    """The columns that hold the probability of a class, by the class's name."""
    return {
        name.removeprefix(PROBABILITY): values
        for name, values in columns.items()
        if name.startswith(PROBABILITY)
    }
